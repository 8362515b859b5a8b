-- How often something was changed that all gateways keep in memory: documents, keys, secrets. News
-- of a change bear its number, so that who has missed one can tell.
CREATE TABLE vito.changes (
    id      BOOLEAN PRIMARY KEY DEFAULT true CHECK (id),
    version BIGINT NOT NULL CHECK (version >= 0)
) WITH (fillfactor = 20);
INSERT INTO vito.changes (version) VALUES (0);
GRANT SELECT, UPDATE ON vito.changes TO twin_gateway;
