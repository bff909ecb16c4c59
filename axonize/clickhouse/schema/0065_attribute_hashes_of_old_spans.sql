-- For the spans that were there before; it goes on in the background.
ALTER TABLE spans
    MATERIALIZE COLUMN attribute_hashes,
    MATERIALIZE INDEX attribute_hashes_bloom
