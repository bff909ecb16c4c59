-- A part of a day goes when its day is 30 days old, and the intake takes spans that are less than 30 days old: those of the
-- 30th day were dropped as soon as they were written. With 31 every span is kept for the whole of its 30 days.
ALTER TABLE spans MODIFY TTL toDate(start_time) + INTERVAL 31 DAY DELETE
