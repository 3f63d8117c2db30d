//! The campaigns of a run, one for each shape of card.

use serde_json::{Value, json};

/// About 450 bytes of output in all: several outputs, three filters, an `if`, a `for`.
const TITLE: &str = "{{ user.first_name | capitalize }}, your {{ user.plan | upcase }} week";
const DESCRIPTION: &str = "\
{% if user.visits > 10 %}Thank you for {{ user.visits }} visits this year. {% else %}Good to have \
you with us. {% endif %}New in what you follow: {% for topic in user.topics %}{{ topic }}\
{% unless forloop.last %}, {% endunless %}{% endfor %}. You have {{ user.points | divided_by: 100 }} \
euros of points to spend until Sunday, in the shop or online, on anything that is not on sale \
already. Bring this card, or open it in the app when you pay.";
const IMAGE: &str = "https://cdn.shop.example/weekly/{{ user.plan }}.jpg";
const LINK: &str = "https://shop.example/weekly?member={{ user.user_id }}";

/// Rendered and stored for each user: its texts and its audience depend on attributes.
pub(crate) fn personal() -> Value {
    campaign(
        "Weekly, personal",
        &everyone_by_attribute(),
        &json!({
            "type": "classic", "title": TITLE, "description": DESCRIPTION,
            "image_url": IMAGE, "image_alt": "This week's shelf", "url": LINK, "url_text": "Open the shop",
        }),
    )
}

/// A row for each user, one content: the audience depends on attributes, the texts do not.
pub(crate) fn pointer() -> Value {
    campaign(
        "New hours, pointer",
        &everyone_by_attribute(),
        &shared_card("New opening hours"),
    )
}

/// One row in all: everybody, and the same texts.
pub(crate) fn broadcast(number: usize) -> Value {
    let title = format!("Summer sale, part {number}");
    campaign(&title, &json!("everyone"), &shared_card(&title))
}

/// As [`personal`], with one call to `url` for each user.
pub(crate) fn connected(url: &str) -> Value {
    fetching(&format!("{url}?user={{{{ user.user_id }}}} :save offer"))
}

/// As [`personal`], with a call: its URL and its options, which save an `offer`.
pub(crate) fn fetching(call: &str) -> Value {
    let description = format!(
        "{{% connected_content {call} %}}{{{{ offer.text }}}} until {{{{ offer.until }}}}. {DESCRIPTION}"
    );
    campaign(
        "Offer, connected",
        &everyone_by_attribute(),
        &json!({
            "type": "classic", "title": TITLE, "description": description, "url": LINK,
        }),
    )
}

/// Every user of the run has it, but only a look at each can tell.
fn everyone_by_attribute() -> Value {
    json!({ "all": [{ "attribute": "visits", "op": "gte", "value": 0 }] })
}

fn shared_card(title: &str) -> Value {
    json!({
        "type": "classic", "title": title,
        "description": "From Monday to Saturday, in every shop and online. See what changes near you.",
        "image_url": "https://cdn.shop.example/shared/summer.jpg", "image_alt": "A shop window",
        "url": "https://shop.example/news", "url_text": "Read more",
    })
}

fn campaign(name: &str, audience: &Value, card: &Value) -> Value {
    json!({
        "name": name, "feed": "main", "audience": audience,
        "delivery": { "kind": "launch", "at": null }, "creation": "at_launch",
        "expiry": { "ttl_seconds": 604_800 },
        "variants": [{ "name": "A", "weight": 1, "card": card }],
    })
}
