// SPDX-License-Identifier: Apache-2.0
//! `standin audit`, through the program itself, on files as a broker writes
//! them.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::Value;
use standin::audit::{Event, Files, Operation, Record, Recorder, Who};
use standin::channel::Channel;
use standin::time::{Clock, SystemClock, UnixMillis};

use crate::place::Place;

fn recorder(place: &Place, boot: &str, most: u64) -> Recorder {
    let files = Files::new(place.path("s/audit"), format!("1795562019-{boot}"), most).unwrap();
    Recorder::new(boot.into(), format!("host/demo/{boot}"), files)
}

fn login(user: &str, at: i64, outcome: &'static str) -> Record {
    Record {
        time: UnixMillis(at),
        who: Arc::new(Who {
            subject: format!("arn:aws:iam::123456789012:user/{user}"),
            access_key_id: format!("AKIA{user}"),
            ..Who::default()
        }),
        channel: Some(Arc::new(Channel {
            address: Some([192, 0, 2, 1].into()),
            listener: "CLIENT".into(),
            ..Channel::default()
        })),
        request_id: format!("b1-{user}").into(),
        event: Event::Login { outcome, reason: "be\ncause".into(), status: -201, seen: 1, sources: 1 },
    }
}

fn denied(user: &str, at: i64, topic: &str) -> Record {
    let operation = Operation {
        action: "kafka-cluster:ReadData".into(),
        resource_type: "topic".into(),
        resource: topic.into(),
        outcome: "denied",
        reason: "no statement allows it".into(),
        statement: None,
        count: 1,
        since: UnixMillis(at),
    };
    Record { event: Event::Operation(operation), ..login(user, at, "success") }
}

fn listed(place: &Place, filter: &[&str]) -> Vec<Value> {
    let text = place.ok(&[&["audit", "--output", "json"][..], filter].concat());
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn each_filter_takes_what_it_names() {
    let place = Place::bare();
    let now = SystemClock::new().wall().0;
    let recorder = recorder(&place, "b1", 1 << 20);
    recorder.record(login("ann", now - 7_200_000, "refused"));
    recorder.record(denied("bob", now - 1000, "or\nders\""));
    recorder.record(login("bob", now - 500, "success"));
    recorder.flush(UnixMillis(1)).unwrap();
    place.ok(&["user", "create", "ann"]);
    for (filter, expected) in [
        (&[][..], 4),
        (&["--identity", "user/ann"], 2),
        (&["--action", "ReadData"], 1),
        (&["--resource", "ders"], 1),
        (&["--outcome", "refused"], 1),
        (&["--kind", "login"], 2),
        (&["--kind", "login", "--kind", "operation"], 3),
        (&["--kind", "administration"], 1),
        (&["--request", "b1-bob"], 2),
        (&["--key", "AKIAann"], 1),
        (&["--address", "192.0.2.1"], 3),
        (&["--address", "192.0.2.2"], 0),
        (&["--listener", "CLIENT"], 3),
        (&["--via", "demo/b1"], 3),
        (&["--since", "3600"], 3),
        (&["--until", "3600"], 1),
        (&["--last", "2"], 2),
        (&["--kind", "login", "--outcome", "success", "--since", "60"], 1),
    ] {
        assert_eq!(listed(&place, filter).len(), expected, "{filter:?}");
    }
    // Whatever clients call things, a record is one line.
    let table = place.ok(&["audit"]);
    assert_eq!(table.lines().count(), 5, "a head and four lines: {table}");
    assert!(table.contains(r#"topic:or\nders\""#) && table.contains(r"be\ncause"), "{table}");
}

#[test]
fn missing_records_show_and_reported_ones_are_explained() {
    let place = Place::bare();
    let recorder = recorder(&place, "b1", 400);
    for n in 0..20 {
        recorder.record(login("ann", n, "refused"));
        recorder.flush(UnixMillis(n)).unwrap();
    }
    let rows = place.json(&["audit", "--gaps"]);
    assert_eq!((&rows[0]["records"], &rows[0]["missing"]), (&20.into(), &0.into()), "{rows}");
    // A file in the middle is taken away.
    let mut files: Vec<_> = std::fs::read_dir(place.path("s/audit")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 5, "{files:?}");
    let gone = std::fs::read_to_string(&files[3]).unwrap().lines().count();
    std::fs::remove_file(&files[3]).unwrap();
    let out = place.run(&["audit", "--gaps", "--output", "json"]);
    let rows: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((out.status.code(), &rows[0]["missing"]), (Some(1), &gone.into()), "{rows}");
    // One at the begin may have been shipped away.
    std::fs::remove_file(&files[0]).unwrap();
    std::fs::remove_file(&files[1]).unwrap();
    std::fs::remove_file(&files[2]).unwrap();
    let rows = place.json(&["audit", "--gaps"]);
    assert_eq!((&rows[0]["missing"], rows[0]["begins"].as_u64().unwrap() > 0), (&0.into(), true), "{rows}");
}

/// Lines of a program that goes on, as they come.
fn follow(place: &Place) -> (std::process::Child, mpsc::Receiver<String>) {
    let mut child = place.command(&["audit", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    (child, receiver)
}

#[test]
fn what_is_written_later_is_followed_also_into_new_files_and_boots() {
    let place = Place::bare();
    let now = SystemClock::new().wall().0;
    let first = recorder(&place, "b1", 600);
    first.record(login("u0", now, "success"));
    first.flush(UnixMillis(1)).unwrap();
    let (mut child, lines) = follow(&place);
    let next = |part: &str| {
        let line = lines.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|e| panic!("{part}: {e}"));
        assert!(line.contains(part), "{part}: {line}");
    };
    next("user/u0");
    // Files of 600 bytes: nearly every record begins a new one.
    for n in 1..6 {
        first.record(login(&format!("u{n}"), now, "refused"));
        first.flush(UnixMillis(1)).unwrap();
        next(&format!("user/u{n}"));
    }
    let second = recorder(&place, "b2", 1 << 20);
    second.record(login("later", now, "success"));
    second.flush(UnixMillis(1)).unwrap();
    next("user/later");
    place.ok(&["user", "create", "ann"]);
    next("CreateUser");
    // Half a line is not a record yet.
    let path = place.path("s/audit/1795562019-b2-0000.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap().replace("user/later", "user/halves");
    let (head, tail) = whole.split_at(whole.len() / 2);
    let append = |text: &str| {
        use std::io::Write;
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
    };
    append(head);
    assert!(lines.recv_timeout(Duration::from_millis(700)).is_err());
    append(tail);
    next("user/halves");
    child.kill().unwrap();
    child.wait().unwrap();
}
