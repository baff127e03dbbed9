//! Modems on the disk: by what each line's modem and SIM are known again after a
//! restart, and what was read of the airtime. It knows no port and asks no network.

use jiff::Timestamp;
use ring::hmac;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};

use super::index::{Index, IndexError};
use super::keyring::{Key, Purpose};
use super::records::ns;
use crate::terms::{LineId, Private};

/// Readings that are kept of a line: two months of one a day. The oldest goes.
const READINGS_MAX: i64 = 64;

/// Modems whose way of sound is kept: more than a box ever meets. The oldest goes.
const SOUND_WAYS_MAX: i64 = 64;

/// By what the modem of a line is known again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownModem {
    pub usb_path: Option<String>,
    pub imei: Option<Private<String>>,
    pub iccid: Option<Private<String>>,
    /// The way of codes that works with it, by its name.
    pub ussd_way: Option<String>,
}

/// The way of sound that worked with a modem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SoundWay {
    pub imei: Private<String>,
    /// All ways that there were to choose from.
    pub ways: String,
    /// The one that worked, by its name.
    pub path: String,
}

/// The modems of a vault.
pub struct Modems<'a> {
    pub(super) index: &'a Index,
    /// Digests of PINs are made with a key of their own.
    pub(super) pins: hmac::Key,
}

impl<'a> Modems<'a> {
    pub(super) fn new(index: &'a Index, index_key: &Key) -> Self {
        let pins = hmac::Key::new(hmac::HMAC_SHA256, index_key.derive(Purpose::Pins).bytes());
        Self { index, pins }
    }

    /// What is known of a line's modem; nothing before one was ever found.
    pub async fn known(&self, line: &LineId) -> Result<Option<KnownModem>, IndexError> {
        let row = sqlx::query("SELECT usb_path, imei, iccid, ussd_way FROM modems WHERE line = ?")
            .bind(line.as_str())
            .fetch_optional(&self.index.read)
            .await
            .map_err(IndexError::sql("reading what is known of a modem"))?;
        Ok(row.as_ref().and_then(known))
    }

    /// Takes the place of what was known.
    pub async fn keep(&self, line: &LineId, modem: &KnownModem) -> Result<(), IndexError> {
        sqlx::query("INSERT OR REPLACE INTO modems (line, usb_path, imei, iccid, ussd_way) VALUES (?, ?, ?, ?, ?)")
            .bind(line.as_str())
            .bind(&modem.usb_path)
            .bind(modem.imei.as_ref().map(Private::expose))
            .bind(modem.iccid.as_ref().map(Private::expose))
            .bind(&modem.ussd_way)
            .execute(&self.index.write)
            .await
            .map_err(IndexError::sql("keeping what is known of a modem"))?;
        Ok(())
    }

    /// The ways of sound that worked, of all modems that the box has met, the oldest first.
    pub async fn sound_ways(&self) -> Result<Vec<SoundWay>, IndexError> {
        let rows = sqlx::query("SELECT imei, ways, path FROM sound_ways ORDER BY id")
            .fetch_all(&self.index.read)
            .await
            .map_err(IndexError::sql("reading which ways of sound worked"))?;
        Ok(rows.iter().filter_map(sound_way).collect())
    }

    /// Takes the place of what was kept of this modem.
    pub async fn keep_sound_way(&self, way: &SoundWay) -> Result<(), IndexError> {
        let doing = "keeping which way of sound works";
        sqlx::query("INSERT OR REPLACE INTO sound_ways (imei, ways, path) VALUES (?, ?, ?)")
            .bind(way.imei.expose())
            .bind(&way.ways)
            .bind(&way.path)
            .execute(&self.index.write)
            .await
            .map_err(IndexError::sql(doing))?;
        let oldest = "DELETE FROM sound_ways WHERE id <=
             (SELECT id FROM sound_ways ORDER BY id DESC LIMIT 1 OFFSET ?)";
        let forget = sqlx::query(oldest).bind(SOUND_WAYS_MAX);
        forget.execute(&self.index.write).await.map_err(IndexError::sql(doing))?;
        Ok(())
    }

    /// What was kept of this modem's ways holds no more.
    pub async fn forget_sound_way(&self, imei: &Private<String>) -> Result<(), IndexError> {
        sqlx::query("DELETE FROM sound_ways WHERE imei = ?")
            .bind(imei.expose())
            .execute(&self.index.write)
            .await
            .map_err(IndexError::sql("forgetting a way of sound"))?;
        Ok(())
    }

    /// What was read of the airtime of the SIM that a line had last, in hundredths of its
    /// currency, the oldest first. Of a SIM that has told no number there is nothing.
    pub async fn airtime(&self, line: &LineId) -> Result<Vec<(Timestamp, i64)>, IndexError> {
        let own = "SELECT at_ns, kobo FROM airtime_readings
             WHERE line = ?1 AND iccid = (SELECT iccid FROM modems WHERE line = ?1) ORDER BY id";
        let rows = sqlx::query(own)
            .bind(line.as_str())
            .fetch_all(&self.index.read)
            .await
            .map_err(IndexError::sql("reading what was read of the airtime"))?;
        Ok(rows.iter().filter_map(reading).collect())
    }

    /// Keeps what was read of the SIM `iccid` in a line's modem.
    pub async fn keep_airtime(
        &self,
        line: &LineId,
        iccid: &Private<String>,
        at: Timestamp,
        kobo: i64,
    ) -> Result<(), IndexError> {
        let doing = "keeping what was read of the airtime";
        let mut connection = self.index.write.acquire().await.map_err(IndexError::sql(doing))?;
        let kept = keep_airtime(&mut connection, line, iccid, at, kobo).await;
        if kept.is_err() {
            // After a full disk the connection is of no more use.
            connection.close_on_drop();
        }
        kept
    }

    /// Another SIM has another balance: what was read of those before `iccid` goes.
    pub async fn forget_airtime_before(&self, line: &LineId, iccid: &Private<String>) -> Result<(), IndexError> {
        sqlx::query("DELETE FROM airtime_readings WHERE line = ? AND iccid IS NOT ?")
            .bind(line.as_str())
            .bind(iccid.expose())
            .execute(&self.index.write)
            .await
            .map_err(IndexError::sql("forgetting the airtime of a SIM that is gone"))?;
        Ok(())
    }
}

async fn keep_airtime(
    connection: &mut SqliteConnection,
    line: &LineId,
    iccid: &Private<String>,
    at: Timestamp,
    kobo: i64,
) -> Result<(), IndexError> {
    let doing = "keeping what was read of the airtime";
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await.map_err(IndexError::sql(doing))?;
    sqlx::query("INSERT INTO airtime_readings (line, iccid, at_ns, kobo) VALUES (?, ?, ?, ?)")
        .bind(line.as_str())
        .bind(iccid.expose())
        .bind(ns(at))
        .bind(kobo)
        .execute(&mut *all)
        .await
        .map_err(IndexError::sql(doing))?;
    let oldest = "DELETE FROM airtime_readings WHERE line = ?1 AND id <=
         (SELECT id FROM airtime_readings WHERE line = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    let forget = sqlx::query(oldest).bind(line.as_str()).bind(READINGS_MAX);
    forget.execute(&mut *all).await.map_err(IndexError::sql(doing))?;
    all.commit().await.map_err(IndexError::sql(doing))
}

fn known(row: &SqliteRow) -> Option<KnownModem> {
    let (imei, iccid): (Option<String>, Option<String>) = (row.try_get("imei").ok()?, row.try_get("iccid").ok()?);
    Some(KnownModem {
        usb_path: row.try_get("usb_path").ok()?,
        imei: imei.map(Private::new),
        iccid: iccid.map(Private::new),
        ussd_way: row.try_get("ussd_way").ok()?,
    })
}

fn sound_way(row: &SqliteRow) -> Option<SoundWay> {
    let imei: String = row.try_get("imei").ok()?;
    Some(SoundWay { imei: Private::new(imei), ways: row.try_get("ways").ok()?, path: row.try_get("path").ok()? })
}

fn reading(row: &SqliteRow) -> Option<(Timestamp, i64)> {
    let at_ns: i64 = row.try_get("at_ns").ok()?;
    Some((Timestamp::from_nanosecond(i128::from(at_ns)).ok()?, row.try_get("kobo").ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Keyring;

    async fn index() -> (tempfile::TempDir, Index, Key) {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key"), Timestamp::UNIX_EPOCH).unwrap();
        let index = Index::open(&dir.path().join("index.db"), keyring.index_key()).await.unwrap();
        (dir, index, keyring.index_key().clone())
    }

    #[tokio::test]
    async fn a_modem_is_known_again_by_its_line_and_by_what_was_kept_last() {
        let (_dir, index, key) = index().await;
        let modems = Modems::new(&index, &key);
        let (front, back) = (LineId::parse("front").unwrap(), LineId::parse("back").unwrap());
        assert_eq!(modems.known(&front).await.unwrap(), None);
        let first = KnownModem {
            usb_path: Some("1-1.4".to_owned()),
            imei: Some(Private::new("356938035643809".to_owned())),
            iccid: None,
            ussd_way: Some("plain-15".to_owned()),
        };
        modems.keep(&front, &first).await.unwrap();
        let moved = KnownModem { usb_path: Some("1-1.2".to_owned()), ..first };
        modems.keep(&front, &moved).await.unwrap();
        assert_eq!(modems.known(&front).await.unwrap(), Some(moved));
        assert_eq!(modems.known(&back).await.unwrap(), None);
        index.close().await;
    }

    #[tokio::test]
    async fn the_way_of_sound_is_each_modems_own_and_the_last_one_counts() {
        let (_dir, index, key) = index().await;
        let modems = Modems::new(&index, &key);
        let way = |imei: &str, path: &str| SoundWay {
            imei: Private::new(imei.to_owned()),
            ways: "usb 16000\nserial 8000".to_owned(),
            path: path.to_owned(),
        };
        for one in [way("1", "usb"), way("2", "usb"), way("1", "serial")] {
            modems.keep_sound_way(&one).await.unwrap();
        }
        assert_eq!(modems.sound_ways().await.unwrap(), [way("2", "usb"), way("1", "serial")]);
        modems.forget_sound_way(&Private::new("2".to_owned())).await.unwrap();
        assert_eq!(modems.sound_ways().await.unwrap(), [way("1", "serial")]);
        for n in 0..SOUND_WAYS_MAX {
            modems.keep_sound_way(&way(&format!("new {n}"), "usb")).await.unwrap();
        }
        let kept = modems.sound_ways().await.unwrap();
        assert_eq!(kept.len(), usize::try_from(SOUND_WAYS_MAX).unwrap());
        assert_eq!(kept.first(), Some(&way("new 0", "usb")), "the oldest went");
        index.close().await;
    }

    #[tokio::test]
    async fn readings_of_airtime_are_each_lines_own_and_the_oldest_go() {
        let (_dir, index, key) = index().await;
        let modems = Modems::new(&index, &key);
        let (front, back) = (LineId::parse("front").unwrap(), LineId::parse("back").unwrap());
        let at = |day: i64| Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap();
        let sim = |figure: &str| Private::new(format!("8923401000{}", figure.repeat(10)));
        let with = |iccid| KnownModem { iccid: Some(iccid), ..KnownModem::default() };
        modems.keep(&front, &with(sim("1"))).await.unwrap();
        modems.keep(&back, &with(sim("2"))).await.unwrap();
        modems.keep_airtime(&back, &sim("2"), at(0), 500).await.unwrap();
        for day in 0..READINGS_MAX + 6 {
            modems.keep_airtime(&front, &sim("1"), at(day), 1_000 - day).await.unwrap();
        }
        let kept = modems.airtime(&front).await.unwrap();
        assert_eq!(kept.len(), usize::try_from(READINGS_MAX).unwrap());
        assert_eq!(kept.first(), Some(&(at(6), 994)));
        modems.forget_airtime_before(&front, &sim("3")).await.unwrap();
        assert!(modems.airtime(&front).await.unwrap().is_empty());
        assert_eq!(modems.airtime(&back).await.unwrap(), [(at(0), 500)]);
        index.close().await;
    }

    #[tokio::test]
    async fn readings_of_airtime_are_those_of_the_sim_that_is_in_whatever_became_of_forgetting_others() {
        let (_dir, index, key) = index().await;
        let modems = Modems::new(&index, &key);
        let line = LineId::parse("front").unwrap();
        let at = |day: i64| Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap();
        let sim = |figure: &str| Private::new(format!("8923401000{}", figure.repeat(10)));
        let (first, second) = (sim("1"), sim("2"));
        let with = |iccid: Option<&Private<String>>| KnownModem { iccid: iccid.cloned(), ..KnownModem::default() };
        modems.keep(&line, &with(Some(&first))).await.unwrap();
        modems.keep_airtime(&line, &first, at(0), 9_000).await.unwrap();
        // The SIM is changed, and the power goes before the readings of the first are forgotten.
        modems.keep(&line, &with(Some(&second))).await.unwrap();
        assert_eq!(modems.airtime(&line).await.unwrap(), []);
        modems.keep_airtime(&line, &second, at(1), 70).await.unwrap();
        assert_eq!(modems.airtime(&line).await.unwrap(), [(at(1), 70)]);
        // What was read of the second before it is remembered is not lost with the first.
        modems.forget_airtime_before(&line, &second).await.unwrap();
        assert_eq!(modems.airtime(&line).await.unwrap(), [(at(1), 70)]);
        modems.keep(&line, &with(None)).await.unwrap();
        assert_eq!(modems.airtime(&line).await.unwrap(), []);
        index.close().await;
    }
}
