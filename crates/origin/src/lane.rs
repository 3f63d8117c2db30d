//! The short way: rows that memory holds, answered before a request is made of what was read.
//!
//! The same answers as the service in [`crate::http`] gives, status, headers and body; whatever is not
//! simply a row goes there.

use corkboard_edge::{Asked, Lane, Reply, Verdict, names_tag};
use http::{StatusCode, header};

use crate::answer::Body;
use crate::http::{CACHE, Endpoints};
use crate::origin::Origin;

impl Lane for Endpoints {
    fn at_once(&self, asked: &Asked<'_>, reply: Reply<'_>) -> Verdict {
        at_once(self.origin(), asked, reply).unwrap_or(Verdict::SERVICE)
    }
}

fn at_once(origin: &Origin, asked: &Asked<'_>, reply: Reply<'_>) -> Option<Verdict> {
    let (endpoint, segment) = origin.route(asked.path())?;
    let place = origin.place(endpoint, segment).ok()?;
    let served = origin.look(&place)?;
    let Body { bytes, etag } = served.answer.body.as_ref()?;
    let etag = etag.to_str().ok()?;
    let known = names_tag(asked.all(header::IF_NONE_MATCH.as_str()), etag);

    let now = origin.now();
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
        .number(header::AGE.as_str(), served.answer.seconds_old(now))
        .header(CACHE, served.tier.as_str());
    let verdict = if known {
        head.nothing()
    } else {
        head.body(bytes)
    };
    if verdict.is_answered() {
        origin.meters(endpoint).served(served.tier);
    }
    Some(verdict)
}
