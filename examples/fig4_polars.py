"""Figure 4 from its raw table, in Polars. From the project's root, after `ojaflow pipeline fig4`:

    python examples/fig4_polars.py
"""

import polars as pl

# One row per run, layer and component; the mean over runs is what the figure shows.
summary = (
    pl.scan_parquet("outputs/fig4/explained_variance.parquet")
    .filter(pl.col("cell") == 1)  # of the coefficients that tuning left, those that it picked
    .group_by(
        panel=pl.format("y{}", pl.col("layer")),
        series=pl.col("rule").cast(pl.String),
        x="component",
    )
    .agg(mean=pl.col("cumulative_ratio").mean(), n_runs=pl.col("cumulative_ratio").count().cast(pl.Int64))
    .sort("panel", "series", "x")
    .collect()
)

# How many components does 90 % of the variance take, on average?
needed = (
    summary.filter(pl.col("mean") >= 0.9)
    .group_by("panel", "series", maintain_order=True)
    .agg(components=pl.col("x").min())
)
print(needed)

# Against the summary that was published.
published = pl.read_parquet("outputs/fig4/summary.parquet").with_columns(pl.col("panel", "series").cast(pl.String))
both = summary.join(published, on=["panel", "series", "x"], how="full", coalesce=True)
n_unmatched = both.filter(~pl.col("n_runs").eq_missing(pl.col("n_runs_right"))).height
deviation = both.select(((pl.col("mean") - pl.col("mean_right")).abs() / pl.col("mean_right")).max()).item()
print(f"{both.height} rows, {n_unmatched} unmatched, largest relative deviation {deviation:.1e}")
