//! The short way: rows that memory holds or Redis has, answered before a request is made of what was
//! read.
//!
//! The same answers as the service in [`crate::http`] gives, status, headers and body; what names no row
//! goes there.

use corkboard_edge::{Asked, Found, Lane, Reply, Verdict, names_tag, retry_after};
use http::{StatusCode, header};

use crate::answer::Body;
use crate::http::{CACHE, COME_BACK, Endpoints, PROBLEM, answer, why};
use crate::origin::{Origin, Place, Served, Unavailable};

impl Lane for Endpoints {
    fn at_once(&self, asked: &Asked<'_>, reply: Reply<'_>) -> Verdict {
        let origin = self.origin();
        let Some((endpoint, segment)) = origin.route(asked.path()) else {
            return Verdict::SERVICE;
        };
        let Ok(place) = origin.place(endpoint, segment) else {
            return Verdict::SERVICE;
        };
        let known = asked.all(header::IF_NONE_MATCH.as_str());
        match origin.look(&place) {
            Some(served) => write(origin, endpoint, &served, known, reply),
            None if origin.turns_away(&place) => {
                refuse(origin, endpoint, Unavailable::Overloaded, reply)
            }
            None => later(origin, place, known.map(<[u8]>::to_vec).collect()),
        }
    }
}

fn later(origin: &Origin, place: Place, known: Vec<Vec<u8>>) -> Verdict {
    let origin = origin.clone();
    Verdict::later(Box::pin(async move {
        let endpoint = place.endpoint;
        let outcome = origin.fetch(place).await;
        let found: Found = Box::new(move |reply| match outcome {
            Ok(served) => {
                let known = known.iter().map(Vec::as_slice);
                write(&origin, endpoint, &served, known, reply)
            }
            Err(unavailable) => refuse(&origin, endpoint, unavailable, reply),
        });
        found
    }))
}

/// The same as [`crate::http::refused`].
fn refuse(origin: &Origin, endpoint: usize, unavailable: Unavailable, reply: Reply<'_>) -> Verdict {
    origin.meters(endpoint).refused(unavailable);
    reply
        .begin(StatusCode::SERVICE_UNAVAILABLE)
        .header(header::CONTENT_TYPE.as_str(), PROBLEM)
        .number(header::RETRY_AFTER.as_str(), retry_after(COME_BACK))
        .body(why(unavailable))
}

fn write<'k>(
    origin: &Origin,
    endpoint: usize,
    served: &Served,
    known: impl Iterator<Item = &'k [u8]>,
    reply: Reply<'_>,
) -> Verdict {
    let body = served.answer.body.as_ref();
    let tagged = body.and_then(|body| Some((body, body.etag.to_str().ok()?)));
    let Some((Body { bytes, .. }, etag)) = tagged else {
        return reply.whole(&answer(origin, endpoint, served, known));
    };
    let known = names_tag(known, etag);
    let mut head = reply.begin(if known {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    });
    if !known {
        head.header(header::CONTENT_TYPE.as_str(), origin.content_type(endpoint));
    }
    head.header(header::ETAG.as_str(), etag)
        .worded(
            header::CACHE_CONTROL.as_str(),
            "max-age=",
            served.answer.seconds_fresh(),
        )
        .number(
            header::AGE.as_str(),
            served.answer.seconds_old(origin.now()),
        )
        .header(CACHE, served.tier.as_str());
    let verdict = if known {
        head.nothing()
    } else {
        head.body(bytes)
    };
    if verdict.is_answered() {
        origin.meters(endpoint).served(served.tier);
    }
    verdict
}
