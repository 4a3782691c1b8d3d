"""The accuracies of `pipelines/surfaces.toml` and `surfaces_rnn.toml` as the tests of racing read them: a file a network
in ../fixtures/surfaces, one line per cell, one column per seed. Run those pipelines first, then, from the project's root:

    python tests/reference/surfaces_fixture.py        # needs duckdb
"""

from pathlib import Path

import duckdb

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "tests" / "fixtures" / "surfaces"


def write(pipeline, setting, n_cells):
    rows = duckdb.sql(
        f"""
        SELECT gradient, oja, list(seed ORDER BY seed) AS seeds, list(value ORDER BY seed) AS scores
        FROM '{ROOT}/outputs/{pipeline}/surface_values.parquet'
        WHERE setting = '{setting}' GROUP BY gradient, oja ORDER BY gradient, oja
        """
    ).fetchall()
    seeds = rows[0][2]
    assert len(rows) == n_cells and all(row[2] == seeds for row in rows), "every cell on the same seeds"
    lines = [",".join(["gradient", "oja", *map(str, seeds)])]
    # Means of five accuracies over 10,000 images: five digits hold them.
    lines += [",".join([f"{gradient:g}", f"{oja:g}", *(f"{score:.5f}" for score in scores)]) for gradient, oja, _, scores in rows]
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{setting}.csv").write_text("\n".join(lines) + "\n")


write("surfaces", "10_layers", 81)
write("surfaces", "5_layers_naive", 81)
write("surfaces_rnn", "rnn", 36)
