//! The catalog: both kinds, and what a folder must survive.
#![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

use cap_std::{ambient_authority, fs::Dir};
use pointsman_contract::Digest;
use pointsman_store::{
    Name, Tenant,
    catalog::{Catalog, Error, Files, MAX_COMPONENT, MAX_STRATEGIES, Memory, NewVersion, Number, Reference},
};
use std::{fs, num::NonZeroU32, path::PathBuf, sync::Barrier};

fn open(folder: &tempfile::TempDir) -> Result<Files, Error> {
    Files::open(Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap())
}

fn tenant() -> Tenant {
    "Environment".parse().unwrap()
}

fn name() -> Name {
    "vip".parse().unwrap()
}

fn number(n: u32) -> Number {
    Number(NonZeroU32::new(n).unwrap())
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

fn deploy(catalog: &dyn Catalog, bytes: &[u8]) -> Number {
    let component = catalog.put(bytes).unwrap();
    let new = NewVersion {
        component,
        source: None,
        created_ms: 5,
        by: "ann".into(),
        note: "first".into(),
    };
    catalog.add(&tenant(), &name(), new).unwrap()
}

fn keeps_versions_and_rolls_back(catalog: &dyn Catalog) {
    let other: Tenant = "Resources".parse().unwrap();
    assert!(matches!(
        catalog.resolve(&tenant(), &reference("vip")),
        Err(Error::NoSuchStrategy { .. })
    ));
    assert_eq!(deploy(catalog, b"one"), number(1));
    assert!(matches!(
        catalog.resolve(&tenant(), &reference("vip")),
        Err(Error::NotActive { .. })
    ));
    catalog.activate(&tenant(), &name(), number(1), 6, "ann").unwrap();
    assert_eq!(deploy(catalog, b"two"), number(2));
    catalog.activate(&tenant(), &name(), number(2), 7, "bob").unwrap();

    let (resolved, bytes) = catalog.download(&tenant(), &reference("vip")).unwrap();
    assert_eq!((resolved.version, bytes.as_slice()), (number(2), b"two".as_slice()));
    assert_eq!(catalog.download(&tenant(), &reference("vip@1")).unwrap().1, b"one");
    assert!(matches!(
        catalog.resolve(&tenant(), &reference("vip@3")),
        Err(Error::NoSuchVersion { last: 2, .. })
    ));

    assert_eq!(catalog.roll_back(&tenant(), &name(), 8, "bob").unwrap(), number(1));
    assert_eq!(
        catalog.resolve(&tenant(), &reference("vip")).unwrap().version,
        number(1)
    );
    assert!(matches!(
        catalog.roll_back(&tenant(), &name(), 9, "bob"),
        Err(Error::NothingToRollBackTo { .. })
    ));
    let shown = catalog.show(&tenant(), &name()).unwrap();
    assert_eq!(
        shown.versions.iter().map(|v| v.size).collect::<Vec<_>>(),
        [Some(3), Some(3)]
    );
    assert_eq!(
        shown.activations.iter().map(|a| a.version).collect::<Vec<_>>(),
        [number(1), number(2), number(1)]
    );
    assert_eq!(catalog.list(&tenant()).unwrap(), [shown]);

    assert!(catalog.list(&other).unwrap().is_empty());
    assert!(matches!(
        catalog.download(&other, &reference("vip@1")),
        Err(Error::NoSuchStrategy { .. })
    ));
    assert!(matches!(
        catalog.put(&vec![0; MAX_COMPONENT + 1]),
        Err(Error::ComponentTooLarge { .. })
    ));
    let missing = NewVersion {
        component: Digest([9; 32]),
        source: None,
        created_ms: 0,
        by: String::new(),
        note: String::new(),
    };
    assert!(matches!(
        catalog.add(&tenant(), &name(), missing),
        Err(Error::NoSuchComponent(_))
    ));
}

#[test]
fn the_catalog_in_memory_keeps_versions_and_rolls_back() {
    keeps_versions_and_rolls_back(&Memory::default());
}

#[test]
fn the_catalog_in_a_folder_keeps_versions_and_rolls_back() {
    let folder = tempfile::tempdir().unwrap();
    keeps_versions_and_rolls_back(&open(&folder).unwrap());
}

#[test]
fn a_folder_survives_a_restart_and_leaves_no_temporary_files() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(&folder).unwrap();
    deploy(&catalog, b"one");
    catalog.activate(&tenant(), &name(), number(1), 6, "ann").unwrap();
    let before = catalog.show(&tenant(), &name()).unwrap();
    drop(catalog);
    // As a process leaves it that was killed while writing.
    std::fs::write(folder.path().join("tenants/Environment/.0.part"), b"{\"sha").unwrap();
    std::fs::write(folder.path().join("components/.1.part"), b"half").unwrap();

    let catalog = open(&folder).unwrap();
    assert_eq!(catalog.show(&tenant(), &name()).unwrap(), before);
    assert_eq!(catalog.download(&tenant(), &reference("vip")).unwrap().1, b"one");
    assert_eq!(catalog.problems(), []);
    deploy(&catalog, b"two");
    for entry in std::fs::read_dir(folder.path().join("tenants/Environment")).unwrap() {
        assert_eq!(entry.unwrap().file_name(), "vip.json");
    }
    assert!(!folder.path().join("components/.1.part").exists());
}

#[test]
fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(&folder).unwrap();
    assert!(matches!(open(&folder), Err(Error::InUse)));
}

#[test]
fn every_flipped_bit_of_a_component_is_noticed_and_an_upload_heals_it() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(&folder).unwrap();
    let digest = catalog.put(b"component").unwrap();
    let path = folder.path().join(format!("components/{digest}"));
    for bit in 0..72 {
        let mut bytes = b"component".to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, bytes).unwrap();
        match catalog.component(digest) {
            Err(Error::Corrupt { file, .. }) => assert!(file.ends_with(&digest.to_string())),
            other => panic!("bit {bit}: {other:?}"),
        }
    }
    assert_eq!(catalog.put(b"component").unwrap(), digest);
    assert_eq!(catalog.component(digest).unwrap(), b"component");
}

#[test]
fn a_damaged_strategy_names_its_file_and_the_others_work() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(&folder).unwrap();
    deploy(&catalog, b"one");
    catalog.activate(&tenant(), &name(), number(1), 6, "ann").unwrap();
    let component = catalog.put(b"one").unwrap();
    let other: Name = "other".parse().unwrap();
    let new = NewVersion {
        component,
        source: None,
        created_ms: 0,
        by: String::new(),
        note: String::new(),
    };
    catalog.add(&tenant(), &other, new).unwrap();
    drop(catalog);

    let path = folder.path().join("tenants/Environment/vip.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    let damages = [
        whole.replace("\"created_ms\": 5", "\"created_ms\": 6"),
        whole[..whole.len() / 2].to_owned(),
        String::new(),
        whole.replace("\"vip\"", "\"vap\""),
    ];
    for damaged in damages {
        assert_ne!(damaged, whole);
        std::fs::write(&path, &damaged).unwrap();
        let catalog = open(&folder).unwrap();
        for error in [
            catalog.resolve(&tenant(), &reference("vip")).unwrap_err(),
            catalog.activate(&tenant(), &name(), number(1), 0, "").unwrap_err(),
        ] {
            assert!(
                matches!(&error, Error::Corrupt { file, .. } if file == "tenants/Environment/vip.json"),
                "{error}"
            );
        }
        assert_eq!(catalog.problems().len(), 1);
        assert_eq!(catalog.list(&tenant()).unwrap().len(), 1);
        assert_eq!(
            catalog.resolve(&tenant(), &reference("other@1")).unwrap().version,
            number(1)
        );
    }
}

#[test]
fn concurrent_deployments_each_get_a_version_of_their_own() {
    const THREADS: u32 = 4;
    const EACH: u32 = 5;
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(&folder).unwrap();
    let together = Barrier::new(THREADS as usize);
    let mut numbers = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|t| {
                let (catalog, together) = (&catalog, &together);
                scope.spawn(move || {
                    together.wait();
                    (0..EACH)
                        .map(|i| deploy(catalog, format!("{}", (t + i) % 5).as_bytes()))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect::<Vec<_>>()
    });
    numbers.sort();
    assert_eq!(numbers, (1..=THREADS * EACH).map(number).collect::<Vec<_>>());
    drop(catalog);
    assert_eq!(
        open(&folder).unwrap().show(&tenant(), &name()).unwrap().versions.len() as u32,
        THREADS * EACH
    );
}

#[test]
fn a_tenant_has_a_bounded_number_of_strategies_and_may_go_on_with_those_it_has() {
    let catalog = Memory::default();
    let new = NewVersion {
        component: catalog.put(b"one").unwrap(),
        source: None,
        created_ms: 0,
        by: String::new(),
        note: String::new(),
    };
    for i in 0..MAX_STRATEGIES {
        let name = format!("s{i}").parse().unwrap();
        catalog.add(&tenant(), &name, new.clone()).unwrap();
    }
    for refused in [
        catalog.room(&tenant(), &name()).unwrap_err(),
        catalog.add(&tenant(), &name(), new.clone()).unwrap_err(),
    ] {
        assert!(matches!(refused, Error::TooManyStrategies { .. }), "{refused}");
    }
    assert!(
        catalog.show(&tenant(), &name()).is_err(),
        "a refusal leaves nothing behind"
    );
    catalog.room(&tenant(), &"s7".parse().unwrap()).unwrap();
    catalog.add(&tenant(), &"s7".parse().unwrap(), new.clone()).unwrap();
    catalog.add(&"Resources".parse().unwrap(), &name(), new).unwrap();
}

#[test]
fn a_folder_bounds_the_number_of_a_tenants_strategies_too() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder).unwrap());
    // Damaged ones count: their files are there.
    fs::create_dir(folder.path().join("tenants/Environment")).unwrap();
    for i in 0..MAX_STRATEGIES {
        fs::write(folder.path().join(format!("tenants/Environment/s{i}.json")), "").unwrap();
    }
    let catalog = open(&folder).unwrap();
    let component = catalog.put(b"one").unwrap();
    let new = NewVersion {
        component,
        source: None,
        created_ms: 0,
        by: String::new(),
        note: String::new(),
    };
    let refused = catalog.add(&tenant(), &name(), new).unwrap_err();
    assert!(matches!(refused, Error::TooManyStrategies { .. }), "{refused}");
}

fn record(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("tenants/Environment/vip.json")
}

/// Writes a strategy's file as somebody would who knows the format and has no key.
fn forge(folder: &tempfile::TempDir, change: impl FnOnce(&mut serde_json::Value)) {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    // The catalog's own order of fields, which its checksum is over.
    let mut strategy: pointsman_store::catalog::Strategy = {
        let stored: serde_json::Value = serde_json::from_slice(&fs::read(record(folder)).unwrap()).unwrap();
        serde_json::from_value(stored["strategy"].clone()).unwrap()
    };
    let mut value = serde_json::to_value(&strategy).unwrap();
    change(&mut value);
    strategy = serde_json::from_value(value).unwrap();
    let text = serde_json::to_string(&strategy).unwrap();
    let mut sum = String::new();
    for byte in sha2::Sha256::digest(&text) {
        write!(sum, "{byte:02x}").unwrap();
    }
    fs::write(record(folder), format!(r#"{{"sha256":"{sum}","strategy":{text}}}"#)).unwrap();
}

#[test]
fn a_version_that_the_catalog_has_not_signed_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(&folder).unwrap();
    deploy(&catalog, b"good");
    catalog.activate(&tenant(), &name(), number(1), 6, "ann").unwrap();
    let evil = catalog.put(b"evil").unwrap();
    drop(catalog);
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.path().join("key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let whole = fs::read(record(&folder)).unwrap();
    type Change<'a> = &'a dyn Fn(&mut serde_json::Value);
    let changes: [Change<'_>; 3] = [
        &|s| s["versions"][0]["component"] = evil.to_string().into(),
        &|s| s["versions"][0]["by"] = "bob".into(),
        &|s| {
            s["versions"][0].as_object_mut().unwrap().remove("signature");
        },
    ];
    for change in changes {
        fs::write(record(&folder), &whole).unwrap();
        forge(&folder, change);
        let catalog = open(&folder).unwrap();
        assert_eq!(catalog.problems(), [], "the file is well-formed");
        for error in [
            catalog.resolve(&tenant(), &reference("vip")).unwrap_err(),
            catalog.download(&tenant(), &reference("vip@1")).unwrap_err(),
        ] {
            assert!(matches!(error, Error::NotSigned { .. }), "{error}");
        }
        // What is deployed from now on is good again, and the bad one cannot come back.
        deploy(&catalog, b"good");
        catalog.activate(&tenant(), &name(), number(2), 7, "ann").unwrap();
        catalog.resolve(&tenant(), &reference("vip")).unwrap();
        let back = catalog.roll_back(&tenant(), &name(), 8, "ann").unwrap_err();
        assert!(matches!(back, Error::NotSigned { .. }), "{back}");
        assert_eq!(
            catalog.resolve(&tenant(), &reference("vip")).unwrap().version,
            number(2)
        );
    }
}

#[test]
fn a_catalog_of_before_signatures_is_signed_once_and_a_lost_key_is_no_reason_to_do_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(&folder).unwrap();
    deploy(&catalog, b"one");
    catalog.activate(&tenant(), &name(), number(1), 6, "ann").unwrap();
    drop(catalog);
    // As an earlier release has written it.
    forge(&folder, |s| {
        let version = s["versions"][0].as_object_mut().unwrap();
        version.remove("signature");
        version.remove("size");
    });
    fs::remove_file(folder.path().join("key")).unwrap();

    let catalog = open(&folder).unwrap();
    catalog.resolve(&tenant(), &reference("vip")).unwrap();
    assert_eq!(catalog.show(&tenant(), &name()).unwrap().versions[0].size, Some(3));
    drop(catalog);
    assert!(!folder.path().join("key.new").exists());
    open(&folder).unwrap().resolve(&tenant(), &reference("vip")).unwrap();

    fs::remove_file(folder.path().join("key")).unwrap();
    for _ in 0..2 {
        let refused = open(&folder)
            .unwrap()
            .resolve(&tenant(), &reference("vip"))
            .unwrap_err();
        assert!(matches!(refused, Error::NotSigned { .. }), "{refused}");
    }
}
