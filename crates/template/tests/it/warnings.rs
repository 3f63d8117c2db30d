//! What is pointed out before anything is sent.

use corkboard_template::{CardSource, CardTemplate, Limits, Template};

fn warnings(source: &str) -> Vec<(&'static str, u32, u32)> {
    let template = Template::compile(source, &Limits::default()).expect("compiles");
    let found = template.warnings();
    found
        .into_iter()
        .map(|w| (w.code, w.line, w.column))
        .collect()
}

#[test]
fn a_fetch_that_nobody_checks_is_pointed_out() {
    let fetch = "\n {% connected_content https://x.test/ :save r %}";
    assert_eq!(
        warnings(&format!("{fetch}{{{{ r.a }}}}")),
        [("unchecked_fetch", 2, 2)]
    );
    let checked =
        format!("{fetch}{{% if r.__http_status_code__ == 200 %}}{{{{ r.a }}}}{{% endif %}}");
    assert_eq!(warnings(&checked), []);
    let aborted = format!("{fetch}{{% unless r %}}{{% abort_message('none') %}}{{% endunless %}}");
    assert_eq!(warnings(&aborted), []);
}

#[test]
fn a_value_that_goes_into_a_url_as_it_is_is_pointed_out() {
    let fetch = |url: &str| format!("{{% connected_content {url} %}}{{% abort_message %}}");
    for raw in [
        "https://x.test/{{ user.name }}",
        "https://x.test/?q={{${name}}}",
        "https://x.test/{{custom_attribute.${name}}}/offer",
        "https://x.test/{{ properties.sku | upcase }}",
        "https://x.test/{{ 'x' | append: user.name }}",
        "https://x.test/{{ user['name'] | url_param_escape | append: 'x' }}",
    ] {
        let found = warnings(&fetch(raw));
        assert_eq!(found.len(), 1, "{raw}: {found:?}");
        assert_eq!(found[0].0, "unescaped_in_url", "{raw}");
    }
    for fit in [
        "https://x.test/{{ user.name | url_param_escape }}",
        "https://x.test/{{ user.name | downcase | url_encode }}",
        "https://x.test/{{ user.mail | md5 }}",
        "{{ user.link }}",
        "https://x.test/{{ campaign.id }}",
        "https://x.test/{{ 'a b' }}",
    ] {
        assert_eq!(warnings(&fetch(fit)), [], "{fit}");
    }
    let outside =
        "{{ user.name }}{% connected_content https://x.test/ %}{% abort_message %} {{ user.name }}";
    assert_eq!(warnings(outside), []);
}

#[test]
fn the_links_of_a_card_are_urls_as_a_whole() {
    let source = CardSource {
        title: Some("{{ user.name }} {{ user.nmae }}".to_owned()),
        url: Some("https://x.test/?u={{ user.name }}".to_owned()),
        image_url: Some("{{ user.picture }}".to_owned()),
        ..CardSource::default()
    };
    let card = CardTemplate::compile(&source, &Limits::default()).expect("compiles");
    let found = card.warnings();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].0.as_str(), found[0].1.code),
        ("url", "unescaped_in_url")
    );
    let read: Vec<&str> = card.user_attributes().into_iter().collect();
    assert_eq!(read, ["name", "nmae", "picture"]);
}

#[test]
fn attributes_are_known_with_the_place_where_they_are_read_first() {
    let source = "{{ ${first_name} }}\n{{ user.plan.name }}{{ user['Favourite Colour'] | upcase }}\
                  {% if custom_attribute.${vip} %}{{ user.plan }}{% endif %}{{ user.user_id }}{{ other.x }}\
                  {% assign own = 1 %}{{ ${own} }}";
    let template = Template::compile(source, &Limits::default()).expect("compiles");
    let reads = template.attribute_reads();
    let found: Vec<(&str, u32, u32)> = reads
        .iter()
        .map(|read| (read.name.as_str(), read.line, read.column))
        .collect();
    let places = [
        ("first_name", 1, 1),
        ("plan", 2, 1),
        ("Favourite Colour", 2, 21),
        ("vip", 2, 60),
    ];
    assert_eq!(found, places);
    assert!(reads[1].unknown().to_string().contains("'plan'"));
}
