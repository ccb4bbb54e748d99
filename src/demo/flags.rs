//! What involvements indicate to one another.

use chrono::NaiveDate;

use super::{
    chance::{Chance, months_after, plus},
    involvements::{Setting, UNIVERSAL},
    row::{Flag, Involvement},
};

impl Setting<'_> {
    /// Flags for one child in twenty, mostly where additional services work with it.
    pub(super) fn flag(&self, chance: &mut Chance, involvements: &mut [Involvement]) {
        let additional =
            |i: &Involvement| i.ended_on.is_none() && !UNIVERSAL.contains(&i.service_type);
        let at = involvements.iter().position(additional);
        if !chance.permille(if at.is_some() { 140 } else { 9 }) {
            return;
        }
        let current = involvements.iter().position(|i| i.ended_on.is_none());
        let Some(involvement) = at.or(current).and_then(|at| involvements.get_mut(at)) else {
            return;
        };
        let first = chance.pick(&["informationToShare", "takingAction", "assessmentUndertaken"]);
        involvement.flags.push(self.flag_of(chance, first, involvement.started_on));
        if at.is_some() && chance.permille(350) {
            involvement.flags.push(self.flag_of(
                chance,
                "leadProfessional",
                involvement.started_on,
            ));
        }
    }

    /// A flag of six months; one in twelve has lapsed.
    fn flag_of(&self, chance: &mut Chance, kind: &'static str, started: NaiveDate) -> Flag {
        let lapsed = plus(self.today, -400);
        let set_on = if started < lapsed && chance.permille(85) {
            chance.day(lapsed, plus(self.today, -200))
        } else {
            chance.day(started.max(plus(self.today, -170)), self.today)
        };
        Flag { kind, set_on, expires_on: months_after(set_on, 6) }
    }
}
