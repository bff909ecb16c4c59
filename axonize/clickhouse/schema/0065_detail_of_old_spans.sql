-- For the spans that were there before, whose other columns go when it is done.
ALTER TABLE spans
    MATERIALIZE COLUMN detail,
    MATERIALIZE COLUMN attribute_hashes,
    MATERIALIZE INDEX attribute_hashes_bloom
