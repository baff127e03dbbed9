-- What the calendar's clock said while a widening waits: a box without a clock of its own
-- starts about there again. Of one that was kept before, nothing is known.
-- Closed: change nothing here, add a new file.

ALTER TABLE policy_waits ADD COLUMN looked_ns INTEGER;
