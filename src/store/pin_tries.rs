//! Tries of PINs on the disk: which SIMs have had theirs, so that none has a second one by
//! itself, whatever restarts between. A PIN stands nowhere; its keyed digest does.

use ring::hmac;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};

use super::index::IndexError;
use super::modems::Modems;
use crate::signalling::modem::PinLeave;
use crate::terms::{LineId, Private};

/// Tries that are kept of a line: more SIMs than anybody puts into it. The oldest goes.
const TRIES_MAX: i64 = 64;

/// In what a PIN is tried.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PinPlace {
    /// The SIM, where it tells its number before the PIN.
    pub iccid: Option<Private<String>>,
    /// Its modem.
    pub imei: Option<Private<String>>,
    /// The SIM has had a wrong PIN since the last right one, where it tells so.
    pub had_wrong: bool,
}

/// Whether a PIN may be tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PinVerdict {
    /// It is written down that it is tried.
    Noted,
    /// It was tried in this SIM, or may have been, and nothing has said that it was right.
    WasTried,
}

/// A try that is kept.
struct Try {
    /// None of a row that cannot be read.
    id: Option<i64>,
    place: PinPlace,
    was_right: bool,
}

impl Modems<'_> {
    /// Writes down that the PIN is going to be tried, by itself if this SIM may have it, or
    /// on a person's word, who has seen to the SIM. It is not tried before this returns.
    pub async fn try_pin(
        &self,
        line: &LineId,
        pin: &Private<String>,
        place: &PinPlace,
        leave: PinLeave,
    ) -> Result<PinVerdict, IndexError> {
        let doing = "writing down that a PIN is tried";
        let mut connection = self.index.write.acquire().await.map_err(IndexError::sql(doing))?;
        let noted = self.note(&mut connection, line, pin, place, leave).await;
        if noted.is_err() {
            // After a full disk the connection is of no more use.
            connection.close_on_drop();
        }
        noted
    }

    /// The PIN was right there: that SIM may have it again, after every power cut.
    pub async fn pin_was_right(
        &self,
        line: &LineId,
        pin: &Private<String>,
        place: &PinPlace,
    ) -> Result<(), IndexError> {
        let doing = "writing down that a PIN was right";
        let right = "UPDATE pin_tries SET was_right = 1
             WHERE line = ?1 AND digest = ?2 AND iccid IS ?3 AND (?3 IS NOT NULL OR imei IS ?4)";
        sqlx::query(right)
            .bind(line.as_str())
            .bind(self.digest(line.as_str(), pin))
            .bind(shown(place.iccid.as_ref()))
            .bind(shown(place.imei.as_ref()))
            .execute(&self.index.write)
            .await
            .map_err(IndexError::sql(doing))?;
        Ok(())
    }

    /// Of the PIN on its line, whose identifier has no zero octet.
    fn digest(&self, line: &str, pin: &Private<String>) -> Vec<u8> {
        let pinned = [line.as_bytes(), b"\0", pin.expose().as_bytes()].concat();
        hmac::sign(&self.pins, &pinned).as_ref().to_vec()
    }

    async fn note(
        &self,
        connection: &mut SqliteConnection,
        line: &LineId,
        pin: &Private<String>,
        place: &PinPlace,
        leave: PinLeave,
    ) -> Result<PinVerdict, IndexError> {
        let doing = "writing down that a PIN is tried";
        let mut all = connection.begin_with("BEGIN IMMEDIATE").await.map_err(IndexError::sql(doing))?;
        let tries = self.tries(&mut all, line, pin, place).await?;
        if leave == PinLeave::Setting && !may_try(&tries, place) {
            return Ok(PinVerdict::WasTried);
        }
        let own: Vec<i64> = tries.iter().filter(|tried| is_own(tried, place)).filter_map(|tried| tried.id).collect();
        for id in own {
            let before = sqlx::query("DELETE FROM pin_tries WHERE id = ?").bind(id);
            before.execute(&mut *all).await.map_err(IndexError::sql(doing))?;
        }
        let now = "INSERT INTO pin_tries (line, digest, iccid, imei, was_right) VALUES (?, ?, ?, ?, 0)";
        let now = sqlx::query(now).bind(line.as_str()).bind(self.digest(line.as_str(), pin));
        let now = now.bind(shown(place.iccid.as_ref())).bind(shown(place.imei.as_ref()));
        now.execute(&mut *all).await.map_err(IndexError::sql(doing))?;
        let oldest = "DELETE FROM pin_tries WHERE line = ?1 AND id <=
             (SELECT id FROM pin_tries WHERE line = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
        let oldest = sqlx::query(oldest).bind(line.as_str()).bind(TRIES_MAX);
        oldest.execute(&mut *all).await.map_err(IndexError::sql(doing))?;
        all.commit().await.map_err(IndexError::sql(doing))?;
        Ok(PinVerdict::Noted)
    }

    /// The tries of one PIN on a line, and those in the SIM that is there on every line: a
    /// line may be named anew, and a SIM put into another. The oldest first.
    async fn tries(
        &self,
        connection: &mut SqliteConnection,
        line: &LineId,
        pin: &Private<String>,
        place: &PinPlace,
    ) -> Result<Vec<Try>, IndexError> {
        let of_both = "SELECT id, line, digest, iccid, imei, was_right FROM pin_tries
             WHERE line = ?1 OR iccid = ?2 ORDER BY id";
        let rows = sqlx::query(of_both)
            .bind(line.as_str())
            .bind(shown(place.iccid.as_ref()))
            .fetch_all(connection)
            .await
            .map_err(IndexError::sql("reading whether a PIN was tried"))?;
        // A row that cannot be read is a try of which nothing is known.
        let unknown = || Try { id: None, place: PinPlace::default(), was_right: false };
        let is_of_pin = |row: &&SqliteRow| self.is_of_pin(row, pin).unwrap_or(true);
        Ok(rows.iter().filter(is_of_pin).map(|row| tried(row).unwrap_or_else(unknown)).collect())
    }

    /// Each row's digest is of the name that its line had. None where it cannot be read.
    fn is_of_pin(&self, row: &SqliteRow, pin: &Private<String>) -> Option<bool> {
        let (line, digest): (String, Vec<u8>) = (row.try_get("line").ok()?, row.try_get("digest").ok()?);
        Some(digest == self.digest(&line, pin))
    }
}

/// Whether a try was in what is there now.
fn is_own(tried: &Try, here: &PinPlace) -> bool {
    match &here.iccid {
        Some(_) => tried.place.iccid == here.iccid,
        None => tried.place.iccid.is_none() && tried.place.imei == here.imei,
    }
}

/// Whether a PIN may be tried there by itself. A SIM that told no number may be any.
fn may_try(tries: &[Try], here: &PinPlace) -> bool {
    if let Some(own) = tries.iter().rev().find(|tried| is_own(tried, here)) {
        // A SIM without a number that has had a wrong one may be another than that which
        // took this one, and this may have been the wrong one.
        return own.was_right && !(here.iccid.is_none() && here.had_wrong);
    }
    let may_be_it = |tried: &Try| here.iccid.is_none() || tried.place.iccid.is_none();
    !tries.iter().any(|tried| !tried.was_right && may_be_it(tried))
}

fn tried(row: &SqliteRow) -> Option<Try> {
    let (iccid, imei): (Option<String>, Option<String>) = (row.try_get("iccid").ok()?, row.try_get("imei").ok()?);
    let place = PinPlace { iccid: iccid.map(Private::new), imei: imei.map(Private::new), had_wrong: false };
    Some(Try { id: row.try_get("id").ok(), place, was_right: row.try_get::<i64, _>("was_right").ok()? == 1 })
}

fn shown(identity: Option<&Private<String>>) -> Option<&str> {
    identity.map(|identity| identity.expose().as_str())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::Keyring;
    use crate::store::index::Index;
    use crate::store::keyring::Key;

    async fn index() -> (tempfile::TempDir, Index, Key) {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key"), Timestamp::UNIX_EPOCH).unwrap();
        let index = Index::open(&dir.path().join("index.db"), keyring.index_key()).await.unwrap();
        (dir, index, keyring.index_key().clone())
    }

    fn pin(text: &str) -> Private<String> {
        Private::new(text.to_owned())
    }

    fn sim(figure: &str) -> PinPlace {
        let iccid = Some(Private::new(format!("8923401000{}", figure.repeat(10))));
        PinPlace { iccid, imei: Some(Private::new("490154203237518".to_owned())), had_wrong: false }
    }

    fn hidden_in(imei: &str) -> PinPlace {
        PinPlace { iccid: None, imei: Some(Private::new(imei.to_owned())), had_wrong: false }
    }

    #[tokio::test]
    async fn a_pin_that_was_tried_in_a_sim_is_known_on_every_line_and_stands_nowhere_itself() {
        let (_dir, index, key) = index().await;
        let modems = Modems::new(&index, &key);
        let (front, back) = (LineId::parse("front").unwrap(), LineId::parse("back").unwrap());
        let here = sim("1");
        let verdict =
            async |line: &LineId, own: &str| modems.try_pin(line, &pin(own), &here, PinLeave::Setting).await.unwrap();
        assert_eq!(verdict(&front, "4711").await, PinVerdict::Noted);
        assert_eq!(verdict(&front, "4711").await, PinVerdict::WasTried);
        assert_eq!(verdict(&front, "1147").await, PinVerdict::Noted, "another one may be tried");
        // The line is named anew, or the SIM is put into another.
        assert_eq!(verdict(&back, "4711").await, PinVerdict::WasTried);
        let kept: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT digest FROM pin_tries").fetch_all(&index.read).await.unwrap();
        assert!(kept.len() == 2 && !kept.concat().windows(4).any(|four| four == b"4711"));
        modems.pin_was_right(&front, &pin("4711"), &here).await.unwrap();
        assert_eq!(verdict(&front, "4711").await, PinVerdict::Noted);
        modems.pin_was_right(&front, &pin("4711"), &here).await.unwrap();
        // What was right there is right here, and what it refuses here it refuses there.
        assert_eq!(verdict(&back, "4711").await, PinVerdict::Noted);
        assert_eq!(verdict(&front, "4711").await, PinVerdict::WasTried);
        index.close().await;
    }

    #[tokio::test]
    async fn each_sim_has_one_try_and_what_was_right_in_one_gives_no_other_a_second() {
        let (_dir, index, key) = index().await;
        let modems = Modems::new(&index, &key);
        let (line, own) = (LineId::parse("front").unwrap(), pin("4711"));
        assert_eq!(modems.try_pin(&line, &own, &sim("1"), PinLeave::Setting).await.unwrap(), PinVerdict::Noted);
        // Another one is put in, and it is the right one.
        assert_eq!(modems.try_pin(&line, &own, &sim("2"), PinLeave::Setting).await.unwrap(), PinVerdict::Noted);
        modems.pin_was_right(&line, &own, &sim("2")).await.unwrap();
        assert_eq!(modems.try_pin(&line, &own, &sim("1"), PinLeave::Setting).await.unwrap(), PinVerdict::WasTried);
        // The right one is unlocked after every power cut, until it refuses.
        for _ in 0..2 {
            assert_eq!(modems.try_pin(&line, &own, &sim("2"), PinLeave::Setting).await.unwrap(), PinVerdict::Noted);
            modems.pin_was_right(&line, &own, &sim("2")).await.unwrap();
        }
        assert_eq!(modems.try_pin(&line, &own, &sim("2"), PinLeave::Setting).await.unwrap(), PinVerdict::Noted);
        assert_eq!(modems.try_pin(&line, &own, &sim("2"), PinLeave::Setting).await.unwrap(), PinVerdict::WasTried);
        // A person's word counts for the SIM that is in.
        assert_eq!(modems.try_pin(&line, &own, &sim("2"), PinLeave::Person).await.unwrap(), PinVerdict::Noted);
        assert_eq!(modems.try_pin(&line, &own, &sim("1"), PinLeave::Setting).await.unwrap(), PinVerdict::WasTried);
        index.close().await;
    }

    #[tokio::test]
    async fn a_sim_that_tells_no_number_has_its_try_counted_with_its_modem() {
        let (_dir, index, key) = index().await;
        let modems = Modems::new(&index, &key);
        let (line, own) = (LineId::parse("front").unwrap(), pin("4711"));
        let (here, elsewhere) = (hidden_in("490154203237518"), hidden_in("356938035643809"));
        assert_eq!(modems.try_pin(&line, &own, &here, PinLeave::Setting).await.unwrap(), PinVerdict::Noted);
        // It may have been put into another modem, or into one that tells its number.
        for place in [&here, &elsewhere, &sim("1")] {
            assert_eq!(
                modems.try_pin(&line, &own, place, PinLeave::Setting).await.unwrap(),
                PinVerdict::WasTried,
                "{place:?}"
            );
        }
        assert_eq!(modems.try_pin(&line, &own, &here, PinLeave::Person).await.unwrap(), PinVerdict::Noted);
        modems.pin_was_right(&line, &own, &here).await.unwrap();
        // Another SIM is put in that was tried before the right one.
        let wronged = PinPlace { had_wrong: true, ..here.clone() };
        assert_eq!(modems.try_pin(&line, &own, &wronged, PinLeave::Setting).await.unwrap(), PinVerdict::WasTried);
        assert_eq!(modems.try_pin(&line, &own, &here, PinLeave::Setting).await.unwrap(), PinVerdict::Noted);
        assert_eq!(modems.try_pin(&line, &own, &here, PinLeave::Setting).await.unwrap(), PinVerdict::WasTried);
        // A new PIN is its owner's word.
        assert_eq!(modems.try_pin(&line, &pin("1234"), &wronged, PinLeave::Setting).await.unwrap(), PinVerdict::Noted);
        // On another line it may be any SIM, and counts there.
        let back = LineId::parse("back").unwrap();
        assert_eq!(modems.try_pin(&back, &own, &here, PinLeave::Setting).await.unwrap(), PinVerdict::Noted);
        index.close().await;
    }
}
