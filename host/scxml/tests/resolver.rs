//! What a document may reach.

use pointsman_scxml::{MapResolver, NoFiles, ResolveError, Resolver};

fn upload() -> MapResolver {
    MapResolver::new(["main.scxml", "lib/a.js", "lib/deep/b.js"].map(|path| (path.to_owned(), path.to_uppercase())))
}

#[test]
fn references_are_relative_to_the_text_that_names_them() {
    for (base, reference, resolved) in [
        ("main.scxml", "lib/a.js", "lib/a.js"),
        ("main.scxml", "file:lib/a.js", "lib/a.js"),
        ("lib/a.js", "deep/b.js", "lib/deep/b.js"),
        ("lib/deep/b.js", "../a.js", "lib/a.js"),
        ("lib/deep/b.js", "/lib/./a.js", "lib/a.js"),
        ("file:lib/x.scxml", "a.js", "lib/a.js"),
    ] {
        let read = upload().read(base, reference);
        assert_eq!(
            read,
            Ok((resolved.to_owned(), resolved.to_uppercase())),
            "{reference} in {base}"
        );
    }
}

#[test]
fn nothing_outside_of_the_upload_is_reached() {
    for reference in [
        "../a.js",
        "lib/../../a.js",
        "http://host/a.js",
        "file:../a.js",
        "C:\\a.js",
        "file:https://host/a.js",
    ] {
        let read = upload().read("main.scxml", reference);
        assert!(
            matches!(read, Err(ResolveError::Refused { .. })),
            "{reference}: {read:?}"
        );
    }
    let missing = upload().read("main.scxml", "b.js");
    assert_eq!(
        missing,
        Err(ResolveError::NotFound {
            resolved: "b.js".to_owned()
        })
    );
    assert!(matches!(NoFiles.read("a", "b"), Err(ResolveError::Refused { .. })));
}
