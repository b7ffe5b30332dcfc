//! What a DN's `Orchestration/application` may say, and what a call's values may do to it.

use pointsman_config::{
    ApplicationRef, ApplicationRefError, CallFacts, DocumentRef, ExpandError, MAX_URL_BYTES, Placeholder,
    ResolvedDocument, Template, TemplateError,
};
use proptest::prelude::*;

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect()
}

fn url(text: &str, facts: &CallFacts<'_>) -> String {
    match DocumentRef::parse(text).unwrap().expand(facts) {
        Ok(ResolvedDocument::Http(url)) => url,
        other => panic!("{other:?}"),
    }
}

fn file(text: &str, facts: &CallFacts<'_>) -> Result<String, ExpandError> {
    match DocumentRef::parse(text).unwrap().expand(facts)? {
        ResolvedDocument::File(path) => Ok(path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_form_is_read_and_written_back() {
    for text in [
        "strategy:vip",
        "strategy:vip@7",
        "strategy:vip@2026.11-rc1",
        "script:Front Desk",
        "file:vip.scxml",
        "file:a/[DNIS]/my%20app.scxml",
        "http://web/app.scxml",
        "https://web.example:8443/app.scxml?caller=[ANI]&[UDATA]",
        "https://[::1]:8443/[UDATA.Customer Segment].scxml",
        "https://a/x.scxml file:x.scxml",
        "strategy:a strategy:b",
    ] {
        assert_eq!(ApplicationRef::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn a_version_is_split_from_its_strategy() {
    let DocumentRef::Strategy { name, version } = DocumentRef::parse("strategy:vip@7").unwrap() else {
        panic!()
    };
    assert_eq!((name.as_str(), version.unwrap().as_str()), ("vip", "7"));
}

#[test]
fn exactly_one_blank_separates_primary_and_alternate() {
    let both = ApplicationRef::parse("http://a/x http://b/x").unwrap();
    assert_eq!(both.alternate, Some(DocumentRef::parse("http://b/x").unwrap()));
    for text in ["http://a/x  http://b/x", " http://a/x", "http://a/x "] {
        assert_eq!(
            ApplicationRef::parse(text),
            Err(ApplicationRefError::Blanks),
            "{text:?}"
        );
    }
    assert_eq!(
        ApplicationRef::parse("http://a http://b http://c"),
        Err(ApplicationRefError::TooMany(3))
    );
}

#[test]
fn values_that_name_nothing_are_refused_with_a_reason() {
    for (text, reason) in [
        ("", "the application is empty"),
        ("vip", "`vip` does not begin with strategy:"),
        ("stategy:vip", "`stategy:` is not a way to name an application"),
        ("strategy:", "`` is not a strategy's name"),
        ("strategy:a/b", "`a/b` is not a strategy's name"),
        ("strategy:a@", "`` is not a strategy's version"),
        ("script:A http://b/x", "a script cannot be one of two documents"),
        ("http://b/x script:A", "a script cannot be one of two documents"),
        ("file:/etc/passwd", "is not a path below the tenant's directory"),
        ("file:///etc/passwd", "is not a path below the tenant's directory"),
        ("file:a/../../b", "is not a path below the tenant's directory"),
        ("file:a/%2e%2e/b", "is not a path below the tenant's directory"),
        ("file:a%00b", "is not a path below the tenant's directory"),
        ("file:a%zz", "has a broken percent-encoding"),
        ("file:a%ff", "has a broken percent-encoding"),
        ("http:web/x", "is not a server's name or address"),
        ("http:///x", "is not a server's name or address"),
        ("http://user:pw@web/x", "is not a server's name or address"),
        ("http://web:99999/x", "is not a server's name or address"),
        ("http://web:/x", "is not a server's name or address"),
        ("http://[UDATA.server]/x", "would let the caller choose the server"),
        ("http://web.[DNIS]/x", "would let the caller choose the server"),
        ("http://web/[DNSI]", "`[DNSI]` is not a placeholder"),
        ("http://web/[ani]", "`[ani]` is not a placeholder"),
        ("http://web/[UDATA.]", "`[UDATA.]` is not a placeholder"),
        ("http://web/[ANI", "opens a placeholder that is not closed"),
        ("http://web/a\"b", "a URL cannot hold the character '\"'"),
        ("http://web/é", "a URL cannot hold the character 'é'"),
    ] {
        let error = ApplicationRef::parse(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text:?}: {error}");
    }
}

#[test]
fn a_misspelt_placeholder_or_scheme_gets_the_nearest_name() {
    assert!(
        ApplicationRef::parse("http://web/[ani]")
            .unwrap_err()
            .help()
            .contains("did you mean `ANI`")
    );
    assert!(
        ApplicationRef::parse("stategy:vip")
            .unwrap_err()
            .help()
            .contains("did you mean `strategy`")
    );
}

#[test]
fn every_placeholder_is_filled_in() {
    let user_data = pairs(&[("k1", "v1"), ("k2", "v2"), ("k1", "second")]);
    let facts = CallFacts {
        ani: "100",
        dnis: "200",
        dn: "300",
        collected_digits: "42#",
        email_from: "a@b",
        email_to: "c@d",
        email_subject: "Hi there",
        user_data: &user_data,
    };
    let text = "http://w/[ANI]/[DNIS]/[DN]/[CED]/[EMAILFROM]/[EMAILTO]/[EMAILSUBJECT]/[UDATA.k1]/[UDATA.none]-?[UDATA]&l=[UDATA.*]";
    let expected =
        "http://w/100/200/300/42%23/a%40b/c%40d/Hi%20there/v1/-?k1=v1&k2=v2&k1=second&l=k1:v1,k2:v2,k1:second";
    assert_eq!(url(text, &facts), expected);
    assert_eq!(Template::url("[ANI][UDATA.k1]").unwrap().placeholders().count(), 2);
    let template = Template::url("x[UDATA.a b]").unwrap();
    assert_eq!(
        template.placeholders().next(),
        Some(&Placeholder::UserData("a b".into()))
    );
}

#[test]
fn values_in_urls_are_encoded_down_to_unreserved_characters() {
    let facts = CallFacts {
        ani: "a b&c=d?e#f/g%h+é\u{0}\r\n[DN]~-._",
        dn: "300",
        ..CallFacts::default()
    };
    let expected = "http://w/?x=a%20b%26c%3Dd%3Fe%23f%2Fg%25h%2B%C3%A9%00%0D%0A%5BDN%5D~-._";
    assert_eq!(url("http://w/?x=[ANI]", &facts), expected);
    let user_data = pairs(&[("a&b=", "1&admin=true")]);
    let facts = CallFacts {
        user_data: &user_data,
        ..CallFacts::default()
    };
    assert_eq!(url("http://w/?[UDATA]", &facts), "http://w/?a%26b%3D=1%26admin%3Dtrue");
}

#[test]
fn parameters_are_filled_in_without_encoding_and_values_are_not_looked_through_again() {
    let user_data = pairs(&[("name", "Müller & [ANI]")]);
    let facts = CallFacts {
        ani: "+49 30",
        user_data: &user_data,
        ..CallFacts::default()
    };
    let template = Template::data("[UDATA.name] from [ANI]; [1, 2] [[ANI]] [unknown] [");
    assert_eq!(
        template.expand_data(&facts).unwrap(),
        "Müller & [ANI] from +49 30; [1, 2] [+49 30] [unknown] ["
    );
}

#[test]
fn a_caller_cannot_climb_out_of_a_path() {
    for value in ["..", ".", "../../etc", "a/b", "a\\b", "", "a\0b"] {
        let facts = CallFacts {
            dnis: value,
            ..CallFacts::default()
        };
        let error = file("file:tenants/[DNIS]/app.scxml", &facts).expect_err(value);
        assert!(matches!(error, ExpandError::Path { .. }), "{value:?}");
    }
    for (ani, dnis) in [("..", ""), (".", "."), (".", "")] {
        let facts = CallFacts {
            ani,
            dnis,
            ..CallFacts::default()
        };
        let error = DocumentRef::parse("http://w/apps/[ANI][DNIS]/x")
            .unwrap()
            .expand(&facts)
            .unwrap_err();
        assert!(matches!(error, ExpandError::Path { .. }), "{ani:?} {dnis:?}");
    }
    let facts = CallFacts {
        dnis: "..",
        ..CallFacts::default()
    };
    let half = DocumentRef::parse("http://w/apps/%2e[ANI]/x").unwrap();
    assert!(
        half.expand(&CallFacts {
            ani: ".",
            ..CallFacts::default()
        })
        .is_err()
    );
    assert_eq!(
        url("http://w/x?n=[DNIS]", &facts),
        "http://w/x?n=..",
        "dots mean nothing in a query"
    );
}

#[test]
fn a_file_keeps_its_literal_blanks_and_takes_values_as_they_are() {
    let facts = CallFacts {
        dnis: "7 001%2F",
        ..CallFacts::default()
    };
    assert_eq!(
        file("file:my%20apps/[DNIS].scxml", &facts).unwrap(),
        "my apps/7 001%2F.scxml"
    );
}

#[test]
fn what_expands_too_far_is_refused() {
    let long = "x".repeat(MAX_URL_BYTES + 1);
    let facts = CallFacts {
        ani: &long,
        ..CallFacts::default()
    };
    let error = DocumentRef::parse("http://w/[ANI]")
        .unwrap()
        .expand(&facts)
        .unwrap_err();
    assert!(matches!(error, ExpandError::TooLong { max: MAX_URL_BYTES, .. }));
    let user_data: Vec<_> = (0..1000).map(|index| (format!("k{index}"), "v".repeat(64))).collect();
    let facts = CallFacts {
        user_data: &user_data,
        ..CallFacts::default()
    };
    let error = Template::data(&"[UDATA]".repeat(10_000))
        .expand_data(&facts)
        .unwrap_err();
    assert!(matches!(error, ExpandError::TooLong { .. }));
}

#[test]
fn brackets_in_strict_text_are_placeholders_or_mistakes() {
    assert_eq!(Template::url("[x]"), Err(TemplateError::Unknown("x".into())));
    assert_eq!(Template::url("a[ANI"), Err(TemplateError::Open("[ANI".into())));
}

proptest! {
    #[test]
    fn arbitrary_applications_never_panic_and_what_is_read_is_written_back_alike(text in "\\PC{0,40}") {
        if let Ok(read) = ApplicationRef::parse(&text) {
            prop_assert_eq!(ApplicationRef::parse(&read.to_string()), Ok(read));
        }
    }

    #[test]
    fn almost_applications_are_written_back_alike(text in "(file|http|https|script|strategy):(//h)?[a-z/%2\\[\\]ANIUDT. @:é]{0,16}") {
        if let Ok(read) = ApplicationRef::parse(&text) {
            prop_assert_eq!(ApplicationRef::parse(&read.to_string()), Ok(read));
        }
    }

    #[test]
    fn no_value_escapes_its_place_in_a_url(value in any::<String>()) {
        let facts = CallFacts { ani: &value, ..CallFacts::default() };
        if let Ok(ResolvedDocument::Http(url)) = DocumentRef::parse("http://w/a/[ANI]/b").unwrap().expand(&facts) {
            let inside = url.strip_prefix("http://w/a/").unwrap().strip_suffix("/b").unwrap();
            prop_assert!(inside.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        }
    }
}
