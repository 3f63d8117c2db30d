//! What renders hold that wait for an endpoint: real ones, in tasks that are asked once and stay.

use std::fs;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use corkboard_core::connected::{ConnectedContent, FetchRequest, FetchResponse, FetchScope};
use corkboard_core::id::{Id as _, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_template::{Data, Limits, RenderOptions, Scope, Template, render_text};

use crate::corkboard::FETCH;
use crate::engine::Outcome;
use crate::inputs::Inputs;

/// An endpoint that never answers.
#[derive(Debug)]
struct Never;

#[async_trait]
impl ConnectedContent for Never {
    async fn fetch(&self, _: FetchScope, _: FetchRequest) -> FetchResponse {
        std::future::pending().await
    }
}

fn resident() -> Outcome<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .unwrap_or_default()
        .trim()
        .trim_end_matches(" kB")
        .parse()?;
    Ok(kib << 10)
}

/// Bytes of memory that so many waiting renders hold, each with the data of its user.
pub(crate) fn held(inputs: &Inputs, count: usize) -> Outcome<u64> {
    let limits = Limits::default();
    let template = Template::compile(&format!("{FETCH}{}", inputs.liquid), &limits)?;
    let campaign = Data::from_slice(inputs.campaign.as_bytes())?;
    let fetch_scope = FetchScope {
        workspace: WorkspaceId::from_bytes([0; 16]),
        campaign: None,
    };
    let options = RenderOptions {
        now: Timestamp::EPOCH,
        limits,
        fetch_scope,
    };
    let mut context = Context::from_waker(Waker::noop());
    let before = resident()?;
    let mut waiting: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::with_capacity(count);
    for user in inputs.users.iter().cycle().take(count) {
        let user = Data::from_slice(user.as_bytes())?;
        let scope = Scope::new()
            .with("user", user)
            .with("campaign", campaign.clone());
        let mut render = Box::pin(render_text(&template, scope, &options, &Never));
        match render.as_mut().poll(&mut context) {
            Poll::Pending => waiting.push(render),
            Poll::Ready(_) => return Err("a render did not wait".into()),
        }
    }
    Ok(resident()?.saturating_sub(before))
}
