use std::time::Duration;

use crate::terms::Moment;

use super::breaker::Standing;

/// May the data of this work go to the engine now?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    Granted,
    /// By the policy, or because the caller wishes otherwise.
    Refused,
}

/// How an engine's budget stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Budget {
    Ample,
    /// So near to its end that the box had better do the work itself.
    Near,
    Spent,
}

/// What is known of an engine when it may be chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    pub standing: Standing,
    pub last_success: Option<Moment>,
    pub leave: Leave,
    pub budget: Budget,
}

impl View {
    fn is_allowed(&self) -> bool {
        self.leave == Leave::Granted && self.budget == Budget::Ample
    }
}

/// Which engine does the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    pub engine: usize,
    /// A better engine that is to be tried beside it, whose answer is not used.
    pub probe: Option<usize>,
}

/// An engine that has let this caller down is not tried again sooner, unless it
/// has done well for somebody else meanwhile.
const REST: Duration = Duration::from_secs(10);

/// One call's engines for one kind of work, the best first and the box's own
/// last. It remembers which have let this caller down.
#[derive(Clone, Debug)]
pub struct Roster {
    left_at: Vec<Option<Moment>>,
}

impl Roster {
    /// For so many engines; at least one, the box's own.
    pub fn new(engines: usize) -> Self {
        Self { left_at: vec![None; engines.max(1)] }
    }

    /// The box's own engine, which is always there.
    pub fn last(&self) -> usize {
        self.left_at.len() - 1
    }

    /// The engine let this caller down.
    pub fn left(&mut self, engine: usize, now: Moment) {
        if let Some(at) = self.left_at.get_mut(engine) {
            *at = Some(now);
        }
    }

    /// The first engine from `from` on that can be asked without a doubt, the
    /// last one if there is none. `views` are those of all engines, in order.
    pub fn choose(&self, views: &[View], from: usize, now: Moment) -> Choice {
        let usable = |engine: &usize| views.get(*engine).is_some_and(|view| self.is_sure(*engine, view));
        let engine = (from..self.last()).find(usable).unwrap_or(self.last());
        let due = |tried: &usize| views.get(*tried).is_some_and(|view| self.is_probe_due(*tried, view, now));
        Choice { engine, probe: (from..engine).find(due) }
    }

    /// Whether who has the work now may keep it.
    pub fn keeps(&self, views: &[View], engine: usize) -> bool {
        engine == self.last() || views.get(engine).is_some_and(|view| self.is_sure(engine, view))
    }

    fn is_sure(&self, engine: usize, view: &View) -> bool {
        view.is_allowed() && view.standing == Standing::Healthy && !self.is_in_disgrace(engine, view)
    }

    /// Left in this call, and nothing good has been heard of it since.
    fn is_in_disgrace(&self, engine: usize, view: &View) -> bool {
        self.left_at[engine].is_some_and(|left| view.last_success.is_none_or(|good| good <= left))
    }

    fn is_probe_due(&self, engine: usize, view: &View, now: Moment) -> bool {
        let rested = self.left_at[engine].is_none_or(|left| now.since(left) >= REST);
        let due = match view.standing {
            Standing::ProbeDue => true,
            Standing::Healthy => self.is_in_disgrace(engine, view),
            Standing::Probing | Standing::LeftUntil(_) | Standing::OutOfUse => false,
        };
        view.is_allowed() && due && rested
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WELL: View =
        View { standing: Standing::Healthy, last_success: None, leave: Leave::Granted, budget: Budget::Ample };

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    fn chosen(roster: &Roster, views: &[View], now: Moment) -> (usize, Option<usize>) {
        let Choice { engine, probe } = roster.choose(views, 0, now);
        (engine, probe)
    }

    #[test]
    fn the_first_engine_that_is_well_and_allowed_is_chosen() {
        let roster = Roster::new(3);
        assert_eq!(chosen(&roster, &[WELL; 3], at(0)), (0, None));
        for shut in [
            View { leave: Leave::Refused, ..WELL },
            View { budget: Budget::Near, ..WELL },
            View { budget: Budget::Spent, ..WELL },
            View { standing: Standing::LeftUntil(at(9)), ..WELL },
            View { standing: Standing::OutOfUse, ..WELL },
            View { standing: Standing::Probing, ..WELL },
        ] {
            assert_eq!(chosen(&roster, &[shut, WELL, WELL], at(0)), (1, None), "{shut:?}");
            assert_eq!(chosen(&roster, &[shut; 3], at(0)), (2, None), "the box's own is always there: {shut:?}");
        }
    }

    #[test]
    fn an_engine_that_is_due_is_tried_beside_one_that_is_well() {
        let due = View { standing: Standing::ProbeDue, ..WELL };
        assert_eq!(chosen(&Roster::new(3), &[due, WELL, WELL], at(0)), (1, Some(0)));
        let refused = View { leave: Leave::Refused, ..due };
        assert_eq!(chosen(&Roster::new(3), &[refused, WELL, WELL], at(0)), (1, None));
    }

    #[test]
    fn who_let_this_caller_down_comes_back_after_doing_well_elsewhere_or_in_a_probe() {
        let mut roster = Roster::new(2);
        roster.left(0, at(5000));
        assert_eq!(chosen(&roster, &[WELL; 2], at(6000)), (1, None));
        assert_eq!(chosen(&roster, &[WELL; 2], at(15_000)), (1, Some(0)));
        let did_well = View { last_success: Some(at(7000)), ..WELL };
        assert_eq!(chosen(&roster, &[did_well, WELL], at(7001)), (0, None));
    }

    fn any_view() -> impl Strategy<Value = View> {
        (0_u8..5, any::<bool>(), 0_u8..3, prop::option::of(0_u64..9000)).prop_map(
            |(standing, granted, budget, good)| View {
                standing: match standing {
                    0 => Standing::Healthy,
                    1 => Standing::ProbeDue,
                    2 => Standing::Probing,
                    3 => Standing::LeftUntil(at(10_000)),
                    _ => Standing::OutOfUse,
                },
                last_success: good.map(at),
                leave: if granted { Leave::Granted } else { Leave::Refused },
                budget: [Budget::Ample, Budget::Near, Budget::Spent][usize::from(budget)],
            },
        )
    }

    proptest! {
        #[test]
        fn nobody_waits_for_an_engine_that_is_left_or_forbidden(
            views in prop::collection::vec(any_view(), 1..6), from in 0_usize..6, left in prop::collection::vec((0_usize..6, 0_u64..9000), 0..4),
        ) {
            let mut roster = Roster::new(views.len());
            for (engine, when) in left {
                roster.left(engine, at(when));
            }
            let Choice { engine, probe } = roster.choose(&views, from.min(views.len() - 1), at(9000));
            prop_assert!(engine < views.len());
            if engine != roster.last() {
                prop_assert!(views[engine].standing == Standing::Healthy && views[engine].is_allowed());
            }
            if let Some(tried) = probe {
                prop_assert!(tried < engine && views[tried].is_allowed());
                prop_assert!(!matches!(views[tried].standing, Standing::LeftUntil(_) | Standing::OutOfUse));
            }
        }
    }
}
