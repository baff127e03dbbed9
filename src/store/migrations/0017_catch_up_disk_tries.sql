-- How many of its vain tries the disk was to blame for: ears that cannot be reached give no
-- call up, a disk that cannot be read does.
-- Closed: change nothing here, add a new file.

ALTER TABLE catch_up ADD COLUMN disk_tries INTEGER NOT NULL DEFAULT 0;
