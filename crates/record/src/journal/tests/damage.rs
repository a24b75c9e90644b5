//! Journals that were cut, flipped, mixed up or never closed: what is whole is read.

use super::*;

#[test]
fn a_damaged_header_has_a_second_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::create(folder.path(), &header(), 1).unwrap();
    journal.close().unwrap();
    let path = segments::path(folder.path(), 1);
    let intact = fs::read(&path).unwrap();
    for place in 0..intact.len() {
        let mut bytes = intact.clone();
        bytes[place] ^= 0x40;
        fs::write(&path, bytes).unwrap();
        let reader = JournalReader::open(folder.path()).unwrap();
        assert_eq!(reader.header(), Some(&header()), "byte {place}");
    }
}

#[test]
fn a_segment_that_cannot_be_opened_costs_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let limits = JournalLimits { segment_bytes: 1, ..JournalLimits::default() };
    let (journal, _) = Journal::with_limits(folder.path(), &header(), 1, limits).unwrap();
    journal.note("phase", "{}");
    journal.close().unwrap();
    let first = segments::path(folder.path(), 1);
    fs::remove_file(&first).unwrap();
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &first).unwrap();

    let mut reader = JournalReader::open(folder.path()).unwrap();
    assert_eq!(reader.header(), Some(&header()));
    assert_eq!(reader.by_ref().count(), 1);
    let [damage] = reader.damage() else { panic!("one segment is lost: {:?}", reader.damage()) };
    assert!(matches!((damage.segment, &damage.reason), (1, DamageReason::Unreadable(_))), "{damage}");

    fs::remove_file(segments::path(folder.path(), 2)).unwrap();
    let error = JournalReader::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains(&first.display().to_string()), "{error}");
}

#[test]
fn a_segment_of_another_version_is_left_out_and_named() {
    let (mut bytes, ..) = segment(2);
    bytes[8] = 99;
    let crc = crc32fast::hash(&bytes[..16]);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    let (entries, damage) = read_bytes(&bytes);
    assert_eq!(entries, []);
    assert_eq!(damage[0].reason, DamageReason::OtherVersion(99));
    assert_eq!(damage[0].bytes_skipped, bytes.len() as u64);
}

#[test]
fn a_length_beyond_belief_is_not_believed() {
    let (mut bytes, entries, places) = segment(2);
    bytes[places[1].start + 4..places[1].start + 8].copy_from_slice(&u32::MAX.to_le_bytes());
    let (salvaged, damage) = read_bytes(&bytes);
    assert_eq!(salvaged, [&entries[..1], &entries[2..]].concat());
    assert_eq!(damage[0].reason, DamageReason::NoFrame);
    assert_eq!(damage[0].bytes_skipped, places[1].len() as u64);
}

#[test]
fn an_intact_frame_that_makes_no_sense_is_skipped_whole() {
    let (mut bytes, entries, _) = segment(1);
    frame::append(&mut bytes, Kind::Finished, &"not a record");
    let (salvaged, damage) = read_bytes(&bytes);
    assert_eq!(salvaged, entries);
    assert_eq!(damage[0].reason, DamageReason::Undecodable);
}

#[test]
fn every_byte_flipped_costs_only_the_frame_it_is_in() {
    let (bytes, entries, places) = segment(4);
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x01;
        let (salvaged, damage) = read_bytes(&damaged);
        let untouched: Vec<_> = entries
            .iter()
            .zip(&places)
            .filter(|(_, frame)| !frame.contains(&place))
            .map(|(entry, _)| entry.clone())
            .collect();
        assert_eq!(salvaged, untouched, "byte {place}");
        assert_eq!(damage.len(), 1, "byte {place}: {damage:?}");
    }
}

#[test]
fn every_truncation_costs_only_what_was_cut() {
    let (bytes, entries, places) = segment(3);
    for length in 0..bytes.len() {
        let (salvaged, damage) = read_bytes(&bytes[..length]);
        let whole = places.iter().filter(|frame| frame.end <= length).count();
        assert_eq!(salvaged, entries[..whole], "{length} bytes");
        let ends_between_frames = length == SEGMENT_HEAD || places.iter().any(|frame| frame.start == length);
        assert_eq!(damage.is_empty(), ends_between_frames, "{length} bytes: {damage:?}");
        assert!(damage.iter().all(|damage| damage.reason == DamageReason::Truncated));
    }
}

proptest! {
    #[test]
    fn any_damage_is_survived(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut bytes, entries, places) = segment(6);
        let flips: Vec<_> = flips.into_iter().map(|(place, mask)| (place.index(bytes.len()), mask)).collect();
        for (place, mask) in &flips {
            bytes[*place] ^= mask;
        }
        let changed: Vec<_> = flips.iter().map(|(place, _)| *place).collect();
        bytes.truncate(cut.index(bytes.len()).max(SEGMENT_HEAD));
        // The version itself may be what was flipped, but never with the right checksum.
        let (salvaged, _) = read_bytes(&bytes);
        for (entry, frame) in entries.iter().zip(&places) {
            if frame.end <= bytes.len() && !changed.iter().any(|place| frame.contains(place)) {
                prop_assert!(salvaged.contains(entry));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let (_, damage) = read_bytes(&bytes);
        prop_assert!(damage.iter().all(|damage| damage.offset + damage.bytes_skipped <= bytes.len() as u64));
    }
}

const KILLED_JOURNAL: &str = "LOADGEN_TEST_KILLED_JOURNAL";

/// Writes records until it is killed, for the test below.
#[test]
#[ignore = "the victim of a_killed_run_keeps_what_was_on_disk, which starts it"]
fn victim() {
    let folder = std::env::var(KILLED_JOURNAL).unwrap();
    let limits = JournalLimits { segment_bytes: 20_000, ..JournalLimits::default() };
    let (_journal, mut sinks) = Journal::with_limits(Path::new(&folder), &header(), 1, limits).unwrap();
    for number in 0.. {
        sinks[0].started(&samples::started(number));
        sinks[0].finished(samples::raw_record(number, 20));
        if number % 100 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

#[test]
fn a_killed_run_keeps_what_was_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "journal::tests::damage::victim"])
        .env(KILLED_JOURNAL, folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut on_disk = 0;
    while on_disk < 1_000 {
        assert!(victim.try_wait().unwrap().is_none(), "the victim ended by itself");
        on_disk = JournalReader::open(folder.path()).map_or(0, |reader| finished(reader).len());
    }
    victim.kill().unwrap();
    victim.wait().unwrap();

    let mut reader = JournalReader::open(folder.path()).unwrap();
    let records = finished(reader.by_ref());
    assert!(records.len() >= on_disk);
    for (number, record) in records.iter().enumerate() {
        assert_eq!(record, &samples::raw_record(number as u32, 20));
    }
    assert!(reader.unfinished().len() <= 1, "one request was in flight at a time");
    // A kill between two writes leaves nothing to salvage, one within a write a cut record.
    let last = segments::list(folder.path()).unwrap().last().unwrap().0;
    for damage in reader.damage() {
        assert_eq!((damage.segment, &damage.reason), (last, &DamageReason::Truncated));
    }
}
