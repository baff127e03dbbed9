-- A call on which ears fail that hear the others is not sent to them for ever. `others_heard`
-- is 1 where, since its last try, another call was heard whose sound might go to the same
-- places; `ears_tries` counts the tries that failed though it was so.
-- Closed: change nothing here, add a new file.

ALTER TABLE catch_up ADD COLUMN ears_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE catch_up ADD COLUMN others_heard INTEGER NOT NULL DEFAULT 0;
