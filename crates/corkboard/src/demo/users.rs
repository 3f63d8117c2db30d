//! Sample users: the same ten thousand every time, made from their numbers.

use std::time::Duration;

use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, Attributes, UserId};
use serde_json::{Value, json};

use crate::exit::{Failure, Outcome};

/// How many there are.
pub(super) const COUNT: u32 = 10_000;
/// The user whose token is printed; on the pro plan, so that every campaign reaches them.
pub(super) const SAMPLE: &str = "user-00001";

/// Where people live: country, language, zone, city, first names, last names.
type Region = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const REGIONS: &[Region] = &[
    (
        "US",
        "en",
        "America/New_York",
        &["New York", "Boston", "Atlanta", "Philadelphia"],
        &["Ada", "Grace", "James", "Olivia", "Noah", "Emma"],
        &["Johnson", "Miller", "Davis", "Lopez", "Carter"],
    ),
    (
        "GB",
        "en",
        "Europe/London",
        &["London", "Leeds", "Bristol", "Glasgow"],
        &["Alan", "Maisie", "George", "Isla", "Harry", "Freya"],
        &["Smith", "Taylor", "Evans", "Khan", "Walker"],
    ),
    (
        "DE",
        "de",
        "Europe/Berlin",
        &["Berlin", "Köln", "München", "Leipzig"],
        &["Anna", "Lukas", "Jürgen", "Mia", "Emil", "Käthe"],
        &["Müller", "Schmidt", "Weiß", "Fischer", "Yılmaz"],
    ),
    (
        "FR",
        "fr",
        "Europe/Paris",
        &["Paris", "Lyon", "Nantes", "Besançon"],
        &["Zoé", "Louis", "Élise", "Hugo", "Chloé", "Noël"],
        &["Martin", "Lefèvre", "Moreau", "Garçon", "Petit"],
    ),
    (
        "BR",
        "pt",
        "America/Sao_Paulo",
        &["São Paulo", "Recife", "Curitiba", "Manaus"],
        &["João", "Beatriz", "Tiago", "Luiza", "Caio", "Inês"],
        &["Silva", "Souza", "Araújo", "Oliveira", "Conceição"],
    ),
    (
        "JP",
        "ja",
        "Asia/Tokyo",
        &["東京", "大阪", "札幌", "福岡"],
        &["結衣", "蓮", "陽菜", "湊", "さくら", "悠真"],
        &["佐藤", "鈴木", "高橋", "田中", "渡辺"],
    ),
    (
        "IN",
        "en",
        "Asia/Kolkata",
        &["Mumbai", "Bengaluru", "Chennai", "Pune"],
        &["Aarav", "Diya", "Vihaan", "Ananya", "Ishaan", "Meera"],
        &["Sharma", "Patel", "Iyer", "Singh", "Das"],
    ),
];

const INTERESTS: &[&str] = &[
    "running",
    "cooking",
    "travel",
    "music",
    "gardening",
    "chess",
    "film",
    "cycling",
    "books",
    "photography",
    "coffee",
    "climbing",
];

/// Numbers that look random and follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn of_user(number: u32) -> Self {
        Self(u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `sides` - 1; 0 for no sides.
    fn below(&mut self, sides: usize) -> usize {
        let sides = u64::try_from(sides).unwrap_or(u64::MAX);
        usize::try_from(self.roll().checked_rem(sides).unwrap_or(0)).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    fn name(&mut self, names: &[&'static str]) -> &'static str {
        self.pick(names).copied().unwrap_or_default()
    }
}

/// The user whose token is printed.
pub(super) fn sample() -> Outcome<UserId> {
    id(1)
}

fn id(number: u32) -> Outcome<UserId> {
    UserId::parse(format!("user-{number:05}")).map_err(|error| Failure::Internal(error.to_string()))
}

/// User number `number`, counted from 1, as of `now`.
pub(super) fn user(number: u32, now: Timestamp) -> Outcome<AttributeChange> {
    Ok(AttributeChange {
        user: id(number)?,
        attributes: attributes(number, now),
    })
}

fn attributes(number: u32, now: Timestamp) -> Attributes {
    let mut dice = Dice::of_user(number);
    let Some(&(country, language, zone, cities, first, last)) = dice.pick(REGIONS) else {
        return Attributes::new();
    };
    let first_name = dice.name(first);
    let days_ago = |days: usize| {
        let seconds = u64::try_from(days).unwrap_or(0) * 86_400;
        now.minus(Duration::from_secs(seconds))
    };
    let member_days = 1 + dice.below(1_200);
    let plan = match dice.below(100) {
        _ if number == 1 => "pro",
        0..60 => "free",
        60..90 => "pro",
        _ => "team",
    };
    let orders = dice.below(12);
    let cents = orders * (900 + dice.below(6_000));
    let mut attributes = Attributes::from_iter([
        ("first_name".to_owned(), json!(first_name)),
        ("last_name".to_owned(), json!(dice.name(last))),
        (
            "email".to_owned(),
            json!(format!("user-{number:05}@example.com")),
        ),
        ("language".to_owned(), json!(language)),
        ("time_zone".to_owned(), json!(zone)),
        ("country".to_owned(), json!(country)),
        ("city".to_owned(), json!(dice.name(cities))),
        ("plan".to_owned(), json!(plan)),
        ("age".to_owned(), json!(18 + dice.below(60))),
        ("signed_up_at".to_owned(), json!(days_ago(member_days))),
        ("marketing_consent".to_owned(), json!(dice.below(10) < 8)),
        ("orders".to_owned(), json!(orders)),
        ("lifetime_value".to_owned(), money(cents)),
    ]);
    let mut interests: Vec<&str> = (0..=dice.below(3)).map(|_| dice.name(INTERESTS)).collect();
    interests.sort_unstable();
    interests.dedup();
    attributes.insert("interests".to_owned(), json!(interests));
    if let Some(total) = cents.checked_div(orders) {
        let order = json!({
            "id": format!("A-{}", 1_000 + dice.below(90_000)),
            "total": money(total),
            "items": 1 + dice.below(5),
            "placed_at": days_ago(dice.below(member_days)),
        });
        attributes.insert("last_order".to_owned(), order);
    }
    attributes
}

/// An amount with two places, as a number.
fn money(cents: usize) -> Value {
    let cents = u32::try_from(cents).unwrap_or(u32::MAX);
    json!(f64::from(cents) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::user::User;

    const NOW: Timestamp = Timestamp::EPOCH;

    #[test]
    fn a_user_is_the_same_every_time_and_unlike_the_next() {
        assert_eq!(user(7, NOW).unwrap(), user(7, NOW).unwrap());
        assert_ne!(attributes(7, NOW), attributes(8, NOW));
    }

    #[test]
    fn the_sample_user_is_on_a_plan_that_gets_offers() {
        assert_eq!(sample().unwrap().as_str(), SAMPLE);
        assert_eq!(attributes(1, NOW)["plan"], "pro");
    }

    #[test]
    fn users_are_spread_over_plans_and_live_in_real_time_zones() {
        let plans = |plan| {
            (1..=COUNT)
                .filter(|n| attributes(*n, NOW)["plan"] == plan)
                .count()
        };
        for (plan, share) in [("free", 6_000), ("pro", 3_000), ("team", 1_000)] {
            assert!(plans(plan).abs_diff(share) < 300, "{plan}: {}", plans(plan));
        }
        for number in 1..=100 {
            let mut user = User::unknown(id(number).unwrap(), NOW);
            user.attributes = attributes(number, NOW);
            let zone = user.attributes["time_zone"].as_str().unwrap().to_owned();
            assert_eq!(user.time_zone().iana_name(), Some(zone.as_str()));
        }
    }
}
