//! The users and the card, written down for the programs of all languages.

use std::path::Path;

use serde_json::{Value, json};

use crate::failure::{Failure, Result, While as _};
use crate::node;

pub(super) const USERS: usize = 1_000;

const NAMES: [&str; 8] = [
    "ada", "björn", "chidi", "dolores", "Emre", "fatima", "grace", "hiroshi",
];
const PLANS: [&str; 3] = ["free", "plus", "pro"];
const CITIES: [&str; 4] = ["Amsterdam", "Zürich", "São Paulo", "Kraków"];
const THINGS: [&str; 7] = [
    "Copper pan",
    "Bread knife",
    "Oak board",
    "Linen apron",
    "Coffee mill",
    "Tea kettle",
    "Salt cellar",
];

/// 13 outputs, 11 outside of the loop and 2 in it.
const LIQUID: &str = r#"<div class="card {{ user.plan }}">
<h2>Hi {{ user.first_name | capitalize }} {{ user.last_name }}!</h2>
<p>As a {{ user.plan | upcase }} member in {{ user.city }} you have {{ user.points }} points after {{ user.visits }} visits. {% if user.points > 100 %}Enough for {{ user.reward }}.{% else %}Keep going.{% endif %}</p>
<ul>
{% for order in user.orders %}<li>{{ order.name }}: {{ order.price }} EUR</li>
{% endfor %}</ul>
<a href="https://shop.example/c/{{ campaign.id }}?u={{ user.user_id }}">{{ campaign.name | default: "Our shop" }}</a>
</div>"#;

fn user(number: usize) -> Value {
    let order = |place: usize| {
        let number = number * 31 + place * 17;
        // Never whole: engines differ in how they print 5.0, and that is not measured here.
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let price = (number * 7 % 9_000) as f64 + 0.95;
        json!({ "name": THINGS[number % THINGS.len()], "price": price })
    };
    json!({
        "user_id": format!("user-{number:07}"),
        "first_name": NAMES[number % NAMES.len()],
        "last_name": format!("Lovelace-{}", number * 7 % 1_000),
        "email": format!("user-{number:07}@mail.example"),
        "language": "en",
        "time_zone": "Europe/Amsterdam",
        "plan": PLANS[number % PLANS.len()],
        "city": CITIES[number % CITIES.len()],
        "points": number * 37 % 9_000,
        "visits": number % 40,
        "reward": "a free delivery",
        "consent": number.is_multiple_of(3),
        "first_seen": "2024-03-05T10:20:30Z",
        "topics": ["garden", "kitchen", "cycling"],
        "orders": (0..5).map(order).collect::<Vec<_>>(),
    })
}

/// Writes the inputs and gives how many users there are.
pub(super) fn write(folder: &Path) -> Result<usize> {
    std::fs::create_dir_all(folder).at(folder)?;
    let users: Vec<Value> = (0..USERS).map(user).collect();
    let users = serde_json::to_string(&users).map_err(Failure::unexpected)?;
    let campaign = json!({ "id": "cmp_018f3c2a", "name": "" }).to_string();
    // The filters have other names there, and `default` another rule for empty texts.
    let jinja = LIQUID
        .replace("| upcase", "| upper")
        .replace("default: \"Our shop\"", "default(\"Our shop\", true)");
    for (name, text) in [
        ("users.json", users.as_str()),
        ("campaign.json", &campaign),
        ("card.liquid", LIQUID),
        ("card.jinja", &jinja),
    ] {
        node::write(&folder.join(name), text)?;
    }
    Ok(USERS)
}

/// Of a stored user, in bytes.
#[expect(clippy::cast_precision_loss, reason = "a thousand short texts")]
pub(super) fn mean_length() -> f64 {
    let bytes: usize = (0..USERS)
        .map(|number| user(number).to_string().len())
        .sum();
    bytes as f64 / USERS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_has_as_many_outputs_and_filters_as_is_said() {
        assert_eq!(LIQUID.matches("{{").count(), 13);
        assert_eq!(LIQUID.matches(" | ").count(), 3);
        assert_eq!(
            LIQUID.matches("{% if").count() + LIQUID.matches("{% for").count(),
            2
        );
    }

    #[test]
    fn no_price_is_a_whole_number() {
        let prices = (0..USERS).flat_map(|number| {
            let orders = user(number)["orders"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            orders
                .into_iter()
                .filter_map(|order| order["price"].as_f64())
        });
        assert_eq!(
            prices.filter(|price| price.fract() > 0.9).count(),
            USERS * 5
        );
    }
}
