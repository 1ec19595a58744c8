-- What proxies' clients did, in plain JSON: no secret is in it, and none of it counts as a change.
--
-- A scope is the id of a config or of an account; a row sums up `width` minutes from `start` on, in minutes since 1970.
CREATE TABLE history (
    scope TEXT NOT NULL,
    width BIGINT NOT NULL,
    start BIGINT NOT NULL,
    node TEXT NOT NULL,
    sums TEXT NOT NULL,
    PRIMARY KEY (scope, width, start, node)
);
CREATE INDEX history_by_time ON history (width, start);
