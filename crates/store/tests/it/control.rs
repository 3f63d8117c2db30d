//! What every control store must do, written against the trait only.
//!
//! A behaviour is a function that takes a [`Harness`]; [`suite!`] makes a test of each, for one
//! harness. Another implementation joins by writing a harness and one line.

mod calls;
mod campaigns;
mod chunks;
mod content_blocks;
mod credentials;
mod dispatches;
mod durability;
mod idempotency;
mod live;
pub(crate) mod sample;
mod stopping;
mod tenancy;

use std::sync::Arc;

use async_trait::async_trait;
use corkboard_store::ControlStore;
use corkboard_store::sqlite::{SqliteControlStore, SqliteOptions};

/// A place that holds one control database, empty at first.
#[async_trait]
pub(crate) trait Harness: Send + Sync {
    /// Opens the database. Once the store is dropped, opening again finds what it held.
    async fn open(&self) -> Arc<dyn ControlStore>;
}

struct Sqlite {
    folder: tempfile::TempDir,
}

impl Sqlite {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }
}

#[async_trait]
impl Harness for Sqlite {
    async fn open(&self) -> Arc<dyn ControlStore> {
        let options = SqliteOptions::default();
        let store = SqliteControlStore::open(self.folder.path(), &options);
        Arc::new(store.expect("the store opens"))
    }
}

/// Tests of every behaviour, with a new harness each.
macro_rules! suite {
    ($harness:expr) => {
        suite! { $harness;
            tenancy:
                workspaces_are_found_by_id_and_name,
                a_taken_workspace_name_is_refused,
                apps_belong_to_one_workspace,
                an_apps_keys_are_replaced_all_at_once,
                apps_and_keys_need_a_workspace,
                api_keys_are_listed_for_one_workspace_or_all,
                revoking_twice_keeps_the_first_time;
            campaigns:
                inserting_an_id_again_returns_the_stored_campaign,
                a_campaign_is_absent_for_other_workspaces,
                campaigns_are_listed_newest_first_page_by_page,
                the_last_full_page_has_no_next,
                an_unreadable_cursor_is_refused,
                a_change_is_stored_when_nobody_changed_it_meanwhile,
                a_draft_may_become_an_armed_campaign_but_a_launched_one_may_not,
                of_concurrent_changes_one_is_stored,
                a_campaign_without_dispatches_can_be_deleted,
                event_campaigns_are_those_with_cards_to_give_or_to_take_away;
            content_blocks:
                a_block_is_stored_once_by_its_name,
                a_block_is_absent_for_other_workspaces,
                blocks_are_listed_by_name_without_their_sources,
                a_replaced_block_has_the_next_version,
                what_templates_name_is_found_and_the_rest_is_known_by_its_absence,
                beyond_the_bound_no_block_is_stored,
                campaigns_that_may_use_blocks_are_those_that_are_not_stopped;
            credentials:
                a_credential_is_stored_once_by_its_name,
                a_credential_is_absent_for_other_workspaces,
                credentials_are_listed_by_name,
                a_replaced_credential_keeps_its_time_of_creation,
                all_credentials_are_walked_through_workspace_by_workspace,
                sealing_anew_loses_no_change_that_came_first;
            dispatches:
                a_dispatch_is_stored_as_given_and_activates_its_campaign,
                a_repeat_returns_the_dispatch_unchanged,
                concurrent_inserts_of_one_id_make_one_dispatch,
                a_campaign_in_another_state_or_version_begins_nothing,
                a_dispatch_is_absent_for_other_workspaces,
                dispatches_of_a_campaign_are_listed_newest_first,
                each_dispatch_keeps_the_definition_it_froze,
                due_dispatches_are_the_planned_ones_whose_time_has_come,
                starting_gives_chunks_once,
                a_finished_dispatch_is_forgotten_30_days_after_its_last_card,
                starting_without_chunks_is_done_unless_in_force,
                finishing_drops_the_work_and_counts_once,
                only_final_states_finish_a_dispatch_that_exists;
            chunks:
                a_hundred_workers_claim_each_chunk_once,
                a_claim_leaves_out_the_dispatches_it_is_told_to,
                every_claim_has_a_larger_token,
                a_lapsed_lease_passes_on_and_fences_the_old_holder,
                a_lapsed_holder_may_go_on_until_someone_else_claims,
                a_lapsed_chunk_that_shows_life_is_not_free_any_more,
                recipients_come_before_scans_and_older_before_newer,
                recipients_keep_their_properties,
                planned_dispatches_have_nothing_to_claim,
                tallies_add_up_and_the_last_chunk_closes_the_dispatch,
                a_released_chunk_waits_for_its_retry,
                a_claim_that_nobody_is_to_blame_for_does_not_count,
                a_crashed_worker_counts_as_an_attempt,
                too_many_attempts_without_progress_fail_the_dispatch,
                many_dispatches_are_worked_off_by_many_workers;
            stopping:
                stopping_ends_planned_and_running_dispatches_only,
                a_holder_learns_of_the_stop_with_its_next_write,
                cards_are_taken_back_once,
                an_absent_campaign_cannot_be_stopped,
                work_that_is_stopped_midway_ends_everywhere;
            live:
                broadcasts_and_first_impressions_are_live_until_they_expire,
                a_planned_dispatch_is_live_once_started,
                after_a_stop_broadcasts_stay_but_nothing_is_accepted,
                a_first_impression_that_is_over_accepts_nothing,
                cancelled_campaigns_are_named_while_cards_may_remain;
            idempotency:
                a_key_is_held_answered_and_replayed,
                another_request_with_the_key_is_a_mismatch,
                workspaces_and_keys_do_not_meet,
                an_abandoned_key_may_be_tried_again,
                a_silent_holder_is_taken_over_and_the_first_reply_counts,
                of_fifty_concurrent_requests_one_begins,
                pruning_forgets_expired_keys_only;
            calls:
                calls_are_listed_newest_first_page_by_page,
                each_filter_and_all_together_narrow_the_list,
                outcomes_and_failures_are_found_among_many_calls,
                calls_of_other_workspaces_are_not_listed,
                pruning_forgets_calls_after_thirty_days;
            durability:
                everything_is_there_after_opening_again,
                the_database_describes_itself,
                any_definition_comes_back_as_it_was;
        }
    };
    ($harness:expr; $($topic:ident: $($behaviour:ident),+;)+) => {
        $(mod $topic {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $behaviour() {
                    crate::control::$topic::$behaviour(&$harness).await;
                }
            )+
        })+
    };
}

mod sqlite {
    suite!(crate::control::Sqlite::new());
}

mod postgres {
    suite!(crate::postgres_control::Postgres::new());
}
