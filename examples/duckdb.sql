-- Figure 4 from its raw table, in DuckDB. From the project's root, after `ojaflow pipeline fig4`:
--
--     duckdb < examples/duckdb.sql

-- One row a run, layer and component; the mean over runs is what the figure shows.
CREATE OR REPLACE TEMP VIEW figure4 AS
SELECT concat('y', layer) AS panel, rule AS series, component AS x,
       avg(cumulative_ratio) AS mean, count(cumulative_ratio) AS n_runs
FROM read_parquet('outputs/fig4/explained_variance.parquet')
WHERE cell = 1 -- of the coefficients that tuning left, those that it picked
GROUP BY layer, rule, component;

-- How many components does 90 % of the variance take, on average?
SELECT panel, series, min(x) AS components FROM figure4 WHERE mean >= 0.9 GROUP BY panel, series ORDER BY panel, series;

-- Against the summary that was published: rows on either side alone, and the largest relative deviation.
SELECT count(*) AS n_rows,
       count(*) FILTER (ours.mean IS NULL OR published.mean IS NULL OR ours.n_runs <> published.n_runs) AS n_unmatched,
       max(abs(ours.mean - published.mean) / published.mean) AS deviation
FROM figure4 AS ours
FULL JOIN read_parquet('outputs/fig4/summary.parquet') AS published USING (panel, series, x);
