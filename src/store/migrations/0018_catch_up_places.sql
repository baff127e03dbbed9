-- Where the sound of a call that waits might go as the call ended, as JSON: it is sent nowhere
-- else later. Of a call that was queued before, nobody knows, and it is sent nowhere.
-- Closed: change nothing here, add a new file.

ALTER TABLE catch_up ADD COLUMN places TEXT;
