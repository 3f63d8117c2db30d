//! The card as somebody would write it who has only this one; and written for nothing but speed, which is
//! the limit for any engine.

use std::fmt::Write as _;
use std::hint::black_box;

use serde::Deserialize;

use crate::engine::{Engine, Outcome, Work};
use crate::inputs::Inputs;

#[derive(Deserialize)]
struct User<'a> {
    user_id: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    plan: &'a str,
    city: &'a str,
    points: i64,
    visits: i64,
    reward: &'a str,
    #[serde(borrow)]
    orders: Vec<Order<'a>>,
}

#[derive(Deserialize)]
struct Order<'a> {
    name: &'a str,
    price: f64,
}

#[derive(Deserialize)]
struct Campaign<'a> {
    id: &'a str,
    name: Option<&'a str>,
}

pub(crate) struct HandWritten<'a> {
    inputs: &'a Inputs,
    users: Vec<User<'a>>,
    campaign: Campaign<'a>,
    out: String,
    is_tuned: bool,
}

impl<'a> HandWritten<'a> {
    pub(crate) fn new(inputs: &'a Inputs, is_tuned: bool) -> Outcome<Self> {
        let users: Result<_, _> = inputs
            .users
            .iter()
            .map(|user| serde_json::from_str(user))
            .collect();
        Ok(Self {
            inputs,
            users: users?,
            campaign: serde_json::from_str(&inputs.campaign)?,
            out: String::new(),
            is_tuned,
        })
    }
}

fn upper_first(out: &mut String, text: &str) {
    let mut chars = text.chars();
    out.extend(chars.next().into_iter().flat_map(char::to_uppercase));
    out.extend(chars.flat_map(char::to_lowercase));
}

/// With the standard library's formatting.
fn written(
    out: &mut String,
    user: &User<'_>,
    campaign: &Campaign<'_>,
) -> Result<(), std::fmt::Error> {
    let User {
        plan,
        last_name,
        city,
        points,
        visits,
        ..
    } = user;
    out.clear();
    write!(out, "<div class=\"card {plan}\">\n<h2>Hi ")?;
    upper_first(out, user.first_name);
    write!(
        out,
        " {last_name}!</h2>\n<p>As a {} member in {city}",
        plan.to_uppercase()
    )?;
    write!(out, " you have {points} points after {visits} visits. ")?;
    if *points > 100 {
        write!(out, "Enough for {}.", user.reward)?;
    } else {
        write!(out, "Keep going.")?;
    }
    write!(out, "</p>\n<ul>\n")?;
    for Order { name, price } in &user.orders {
        writeln!(out, "<li>{name}: {price} EUR</li>")?;
    }
    let (id, user) = (campaign.id, user.user_id);
    let name = campaign
        .name
        .filter(|name| !name.is_empty())
        .unwrap_or("Our shop");
    write!(
        out,
        "</ul>\n<a href=\"https://shop.example/c/{id}?u={user}\">{name}</a>\n</div>"
    )
}

/// With nothing but copies, and the number formatting that the engines use.
fn tuned(out: &mut String, user: &User<'_>, campaign: &Campaign<'_>) {
    let integer = |out: &mut String, n: i64| out.push_str(itoa::Buffer::new().format(n));
    out.clear();
    out.push_str("<div class=\"card ");
    out.push_str(user.plan);
    out.push_str("\">\n<h2>Hi ");
    upper_first(out, user.first_name);
    out.push(' ');
    out.push_str(user.last_name);
    out.push_str("!</h2>\n<p>As a ");
    out.extend(user.plan.chars().flat_map(char::to_uppercase));
    out.push_str(" member in ");
    out.push_str(user.city);
    out.push_str(" you have ");
    integer(out, user.points);
    out.push_str(" points after ");
    integer(out, user.visits);
    out.push_str(" visits. ");
    if user.points > 100 {
        out.push_str("Enough for ");
        out.push_str(user.reward);
        out.push('.');
    } else {
        out.push_str("Keep going.");
    }
    out.push_str("</p>\n<ul>\n");
    for order in &user.orders {
        out.push_str("<li>");
        out.push_str(order.name);
        out.push_str(": ");
        out.push_str(zmij::Buffer::new().format_finite(order.price));
        out.push_str(" EUR</li>\n");
    }
    out.push_str("</ul>\n<a href=\"https://shop.example/c/");
    out.push_str(campaign.id);
    out.push_str("?u=");
    out.push_str(user.user_id);
    out.push_str("\">");
    out.push_str(
        campaign
            .name
            .filter(|name| !name.is_empty())
            .unwrap_or("Our shop"),
    );
    out.push_str("</a>\n</div>");
}

impl Engine for HandWritten<'_> {
    fn name(&self) -> &'static str {
        if self.is_tuned {
            "hand-tuned"
        } else {
            "hand-written"
        }
    }

    fn does(&self, work: Work) -> bool {
        work != Work::Compile
    }

    fn work(&mut self, work: Work, user: usize) -> Outcome {
        let parsed;
        let user = match work {
            Work::Render => &self.users[user],
            _ => {
                parsed = serde_json::from_str(&self.inputs.users[user])?;
                &parsed
            }
        };
        if self.is_tuned {
            tuned(&mut self.out, user, &self.campaign);
        } else {
            written(&mut self.out, user, &self.campaign)?;
        }
        black_box(&self.out);
        Ok(())
    }

    fn output(&mut self, user: usize) -> Outcome<String> {
        self.work(Work::FromBytes, user)?;
        Ok(self.out.clone())
    }
}
