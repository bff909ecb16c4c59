-- What the defaults are made of is about to go.
ALTER TABLE spans
    MODIFY COLUMN detail DEFAULT '',
    MODIFY COLUMN attribute_hashes DEFAULT [],
    MODIFY COLUMN facet DEFAULT 0
