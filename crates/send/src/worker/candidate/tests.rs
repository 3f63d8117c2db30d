//! The rules, one user at a time.

use corkboard_core::campaign::Delivery;
use corkboard_core::dispatch::Cause;
use corkboard_core::id::DispatchId;
use corkboard_store::card_store::Receipt;
use corkboard_template::Limits;
use serde_json::json;

use super::*;
use crate::freeze::frozen;
use crate::plan::tests::campaign;

const PLANNED: i64 = 1_000_000;

/// A dispatch planned at [`PLANNED`] to an audience of pro users, and its compiled campaign.
fn dispatch(reeligible_after_seconds: Option<u64>) -> (Dispatch, CompiledCampaign) {
    let mut campaign = campaign(json!([{"name": "A", "card": {"title": "hi"}}]));
    campaign.definition.delivery = Delivery::Api;
    campaign.definition.reeligible_after_seconds = reeligible_after_seconds;
    campaign.definition.audience =
        serde_json::from_value(json!({"attribute": "plan", "op": "eq", "value": "pro"})).unwrap();
    let planned = Timestamp::from_seconds(PLANNED);
    let id = DispatchId::generate(planned);
    let dispatch = frozen(&campaign, id, Cause::Trigger, planned, planned).unwrap();
    let compiled = CompiledCampaign::compile(&campaign.definition, &Limits::default()).unwrap();
    (dispatch, compiled)
}

fn candidate(plan: &str, named: bool) -> Candidate {
    let mut user = User::unknown(UserId::parse("ada").unwrap(), Timestamp::EPOCH);
    user.attributes.insert("plan".to_owned(), plan.into());
    Candidate {
        user,
        properties: Map::new(),
        named,
    }
}

fn standing(of: &Dispatch, dispatch: DispatchId, at_seconds: i64, has_card: bool) -> Standing {
    let (campaign, at) = (of.campaign, Timestamp::from_seconds(at_seconds));
    let receipt = Some(Receipt {
        campaign,
        dispatch,
        occurrence: 0,
        at,
    });
    Standing { receipt, has_card }
}

fn after(reeligible_after_seconds: Option<u64>, waited_seconds: i64) -> Verdict {
    let (dispatch, compiled) = dispatch(reeligible_after_seconds);
    let other = DispatchId::generate(Timestamp::EPOCH);
    let standing = standing(&dispatch, other, PLANNED - waited_seconds, false);
    let now = Timestamp::from_seconds(PLANNED);
    verdict(
        &dispatch,
        &compiled,
        &candidate("pro", true),
        Some(&standing),
        now,
    )
}

#[test]
fn a_second_card_waits_for_its_time() {
    assert_eq!(
        after(None, 9_000),
        Verdict::Skip(SkipReason::AlreadyReceived)
    );
    assert_eq!(
        after(Some(60), 59),
        Verdict::Skip(SkipReason::NotYetReeligible)
    );
    assert!(matches!(after(Some(60), 60), Verdict::Give { .. }));
    assert!(matches!(after(Some(0), 0), Verdict::Give { .. }));
    assert!(
        matches!(after(Some(0), -5), Verdict::Give { .. }),
        "overtaken by a later dispatch"
    );
}

#[test]
fn a_user_with_this_dispatchs_card_is_a_repeat_whatever_has_changed() {
    let (dispatch, compiled) = dispatch(None);
    let long_after = dispatch.expires_at.plus(std::time::Duration::from_secs(1));
    let left = candidate("free", true);
    for receipt_of in [dispatch.id, DispatchId::generate(Timestamp::EPOCH)] {
        let standing = standing(&dispatch, receipt_of, PLANNED, true);
        let verdict = verdict(&dispatch, &compiled, &left, Some(&standing), long_after);
        assert_eq!(verdict, Verdict::Repeat);
    }
}

#[test]
fn a_promise_that_was_not_kept_is_kept_now() {
    let (dispatch, compiled) = dispatch(None);
    let standing = standing(&dispatch, dispatch.id, PLANNED, false);
    let (pro, now) = (candidate("pro", false), dispatch.planned_at);
    let verdict = verdict(&dispatch, &compiled, &pro, Some(&standing), now);
    assert!(matches!(verdict, Verdict::Give { .. }), "{verdict:?}");
}

#[test]
fn only_named_users_are_asked_whether_they_are_in_the_audience() {
    let (dispatch, compiled) = dispatch(None);
    let now = dispatch.planned_at;
    let of = |named| verdict(&dispatch, &compiled, &candidate("free", named), None, now);
    assert_eq!(of(true), Verdict::Skip(SkipReason::NotInAudience));
    assert!(
        matches!(of(false), Verdict::Give { .. }),
        "the database found them matching"
    );
}

#[test]
fn an_expired_card_is_not_given_and_local_time_is_the_users() {
    let (mut dispatch, compiled) = dispatch(None);
    let of = |dispatch: &Dispatch, candidate: &Candidate, now| {
        verdict(dispatch, &compiled, candidate, None, now)
    };
    let mut ada = candidate("pro", true);
    assert_eq!(
        of(&dispatch, &ada, dispatch.expires_at),
        Verdict::Skip(SkipReason::Expired)
    );
    dispatch.definition.expiry =
        serde_json::from_value(json!({"at": "1970-01-12T18:00:00", "local_time": true})).unwrap();
    ada.user
        .attributes
        .insert("time_zone".to_owned(), "Asia/Tokyo".into());
    let Verdict::Give { expires_at, .. } = of(&dispatch, &ada, Timestamp::EPOCH) else {
        panic!("not expired yet");
    };
    assert_eq!(expires_at.to_string(), "1970-01-12T09:00:00Z");
}
