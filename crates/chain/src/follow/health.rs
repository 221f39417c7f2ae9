//! Whether blocks arrive at a follower, and if not, why: looks twice a second.

use super::shared::Upstreams;
use crate::{
    alias::Runtime,
    health::{Course, Health, Notice, Progress, patience},
    node::Node,
};
use commonware_macros::select;
use commonware_utils::channel::watch;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tracing::{info, warn};
use types::Committee;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(500);
/// How often people are told how far it is.
const REPORT: Duration = Duration::from_secs(10);

/// Who finds out.
pub(super) struct Monitor {
    pub node: Node,
    pub upstreams: Upstreams,
    /// After how long consensus gives a leader up.
    pub leader_timeout: Duration,
    /// Where it says what it found.
    pub health: watch::Sender<Option<Arc<Health>>>,
}

impl Monitor {
    /// Looks until the node stops.
    pub async fn run<E: Runtime>(self, context: E) {
        let mut course = Course::new(context.current(), self.node.latest().number());
        let mut reported: Option<SystemTime> = None;
        loop {
            self.look(&context, &mut course, &mut reported).await;
            select! {
                _ = context.stopped() => return,
                _ = context.sleep(LOOK) => {},
            }
        }
    }

    async fn look<E: Runtime>(
        &self,
        context: &E,
        course: &mut Course,
        reported: &mut Option<SystemTime>,
    ) {
        let epoch = self.node.epoch().await;
        let validators = epoch.map_or(0, |info| Committee::new(info.output).validators().len());
        let (at, height) = (context.current(), self.node.latest().number());
        let notice = course.step(at, height, patience(self.leader_timeout, validators));
        let health = self.tell(at, course);
        match notice {
            Some(Notice::Stalled) => {
                let explanation = health.explanation().unwrap_or_default();
                warn!(height, "{explanation}");
            }
            Some(Notice::Resumed(lasted)) => {
                info!(
                    height,
                    "blocks come again, after {} s without one",
                    lasted.as_secs()
                );
            }
            None => {}
        }
        match (&health.progress, *reported) {
            (Progress::Syncing, since) => {
                let due = since
                    .is_none_or(|since| at.duration_since(since).unwrap_or_default() >= REPORT);
                let head = self.upstreams.head();
                if due && head > 0 {
                    *reported = Some(at);
                    info!(height, head, "executing the blocks that there are already");
                }
            }
            (Progress::Finalizing, Some(_)) => {
                *reported = None;
                info!(height, "level with the chain");
            }
            _ => {}
        }
    }

    /// Says how it is.
    fn tell(&self, at: SystemTime, course: &Course) -> Arc<Health> {
        let progress = match self.node.upgrades().ended() {
            Some(outdated) => Progress::Outdated(outdated),
            None if course.is_stalled() => Progress::Stalled,
            None if self.upstreams.is_behind() => Progress::Syncing,
            None => Progress::Finalizing,
        };
        let health = Arc::new(Health {
            progress,
            height: course.height(),
            since: course.since(),
            at,
            epoch: self.node.next_epoch(),
            needed: 0,
            validators: Vec::new(),
            node: None,
            has_share: false,
            may_sign: false,
            upstreams: Some(self.upstreams.status()),
        });
        self.health.send_replace(Some(Arc::clone(&health)));
        health
    }
}
