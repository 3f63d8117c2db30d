//! What every card store must do, written against the trait only.
//!
//! A behaviour is a function that takes a [`Harness`]; [`suite!`] makes a test of each, for one
//! harness. Another implementation joins by writing a harness and one line.

mod audiences;
mod cohorts;
mod durability;
mod erasure;
mod events;
mod reading;
pub(crate) mod sample;
mod sqlite;
mod users;
mod writing;

use std::sync::Arc;

use async_trait::async_trait;
use corkboard_store::CardStore;

/// A place that holds one card database, empty at first.
#[async_trait]
pub(crate) trait Harness: Send + Sync {
    /// Opens the database for the first time.
    async fn open(&self) -> Arc<dyn CardStore>;
    /// Opens what another process would find if this one were killed now.
    async fn after_crash(&self) -> Arc<dyn CardStore>;
}

/// Tests of every behaviour, with a new harness each.
macro_rules! suite {
    ($harness:expr) => {
        $crate::cards::suite! { $harness;
            users:
                attributes_are_set_merged_and_removed,
                changes_in_one_call_happen_all_or_not_at_all,
                a_text_that_not_every_database_keeps_is_refused,
                a_user_belongs_to_one_workspace,
                several_users_are_found_in_the_order_asked_for,
                attributes_that_no_user_has_are_known,
                events_are_summarised_and_create_their_users,
                a_repeated_event_counts_once_within_its_window;
            audiences:
                a_scan_in_pages_and_ranges_finds_every_user_once,
                a_filter_is_scanned_and_counted_alike,
                a_scanned_user_comes_with_attributes_if_they_are_wanted;
            writing:
                a_batch_gives_each_user_the_derived_card,
                repeating_a_batch_inserts_and_counts_nothing,
                a_user_named_twice_in_a_batch_gets_one_card,
                the_only_dispatch_of_a_campaign_leaves_no_receipts,
                a_dispatch_knows_its_own_cards,
                another_dispatch_gives_no_second_card,
                a_user_becomes_eligible_again_after_the_wait,
                every_trigger_gives_a_card_when_the_wait_is_zero,
                receipts_say_who_has_had_a_card,
                an_older_lease_is_refused_and_writes_nothing,
                any_text_is_kept_as_it_is,
                a_card_without_any_content_is_refused;
            reading:
                a_stored_card_comes_back_whole,
                cards_of_all_cohorts_come_newest_first_up_to_the_limit,
                a_card_expires_at_its_own_time_not_its_cohorts,
                states_come_with_cards_and_for_broadcasts_alone,
                another_workspaces_user_of_the_same_name_has_other_cards,
                a_crowd_reads_what_each_of_them_reads_alone;
            events:
                events_count_once_and_once_as_unique,
                a_later_impression_counts_but_changes_nothing_visible,
                counts_are_kept_by_the_day_things_happened,
                events_of_several_cohorts_are_recorded_together,
                removing_marks_live_cards_of_the_named_campaigns,
                a_broadcast_is_removed_without_being_counted,
                an_event_from_the_future_counts_once_and_as_of_now;
            cohorts:
                cohorts_are_listed_with_their_rows_oldest_first,
                a_cohort_is_retired_after_its_grace_and_not_before,
                counts_and_receipts_outlive_a_retired_cohort,
                a_retired_cohort_takes_no_more_cards,
                retiring_disturbs_nobody;
            erasure:
                nothing_about_an_erased_user_is_left,
                an_unknown_user_is_erased_without_anything_found,
                a_dispatch_planned_before_gives_an_erased_user_no_card,
                all_of_many_erasures_since_the_launch_are_heeded,
                erasing_during_a_dispatch_leaves_no_card_behind;
            durability:
                everything_acknowledged_is_there_after_a_crash,
                a_fence_outlives_a_crash,
                identical_batches_at_once_insert_each_card_once,
                rival_dispatches_at_once_give_each_user_one_card,
                the_same_events_at_once_count_once,
                two_holders_of_a_lease_never_write_after_the_newer;
        }
    };
    ($harness:expr; $($topic:ident: $($behaviour:ident),+;)+) => {
        $(mod $topic {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                let harness = $harness;
                $crate::cards::$topic::$behaviour(&harness).await;
            })+
        })+
    };
}
pub(crate) use suite;

mod postgres {
    super::suite!(crate::postgres_cards::Postgres::cohorts());
}

mod postgres_flat {
    super::suite!(crate::postgres_cards::Postgres::flat());
}

mod routed {
    super::suite!(crate::postgres_cards::Postgres::routed());
}
