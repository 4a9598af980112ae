//! Samples joined, shortened and looked at from their newest end.

use crate::event::{ChallengeSample, InputPath, PointerSample, RemoteInputSample, TypingContext, TypingSample, limits};

/// Pause entered where two chunks of typing join, microseconds: beyond any burst of typing.
pub(super) const TYPING_PAUSE_MICROS: u32 = limits::PRESS_INTERVAL_MICROS_MAX;
/// Pause entered where two chunks of motion join, microseconds: beyond any motion.
pub(super) const POINTER_PAUSE_MICROS: u32 = 10_000_000;

/// Joins `sample` to what is there, or puts in its place what `extend` hands back.
pub(super) fn join<T>(slot: &mut Option<T>, sample: T, extend: fn(&mut T, T) -> Option<T>) {
    let apart = match slot {
        Some(kept) => extend(kept, sample),
        None => Some(sample),
    };
    if apart.is_some() {
        *slot = apart;
    }
}

/// Only typing of one kind joins: other clocks, other order or withheld classes would make columns that mean two things.
pub(super) fn join_typing(kept: &mut TypingSample, mut sample: TypingSample) -> Option<TypingSample> {
    let same = kept.context == sample.context
        && kept.shuffled == sample.shuffled
        && kept.timer_resolution_micros == sample.timer_resolution_micros
        && kept.key_classes.is_empty() == sample.key_classes.is_empty();
    if !same {
        return Some(sample);
    }
    if let Some(first) = sample.press_interval_micros.first_mut() {
        *first = TYPING_PAUSE_MICROS;
    }
    extend(&mut kept.press_interval_micros, sample.press_interval_micros);
    extend(&mut kept.dwell_micros, sample.dwell_micros);
    extend(&mut kept.key_classes, sample.key_classes);
    for (count, more) in [
        (&mut kept.dropped_press_count, sample.dropped_press_count),
        (&mut kept.insertion_count, sample.insertion_count),
        (&mut kept.composition_count, sample.composition_count),
    ] {
        *count = count.saturating_add(more).min(limits::COUNT_MAX);
    }
    None
}

pub(super) fn join_pointer(kept: &mut PointerSample, mut sample: PointerSample) -> Option<PointerSample> {
    if kept.source != sample.source || kept.timer_resolution_micros != sample.timer_resolution_micros {
        return Some(sample);
    }
    if let Some(first) = sample.interval_micros.first_mut() {
        *first = POINTER_PAUSE_MICROS;
    }
    let offset = kept.interval_micros.len() as u32;
    kept.button_down_indexes.extend(sample.button_down_indexes.iter().map(|index| index.saturating_add(offset)));
    extend(&mut kept.interval_micros, sample.interval_micros);
    extend(&mut kept.delta_x, sample.delta_x);
    extend(&mut kept.delta_y, sample.delta_y);
    None
}

/// Answers of another kind are another reaction; they take the place of the earlier ones.
pub(super) fn join_challenge(kept: &mut ChallengeSample, sample: ChallengeSample) -> Option<ChallengeSample> {
    if kept.kind != sample.kind || kept.refresh_rate_millihertz != sample.refresh_rate_millihertz {
        return Some(sample);
    }
    extend(&mut kept.reaction_micros, sample.reaction_micros);
    drop_oldest(&mut kept.reaction_micros, limits::PROMPTS_MAX);
    None
}

/// Timing joins when the clocks agree; what the endpoint reported once stays reported.
pub(super) fn join_remote_input(kept: &mut RemoteInputSample, sample: RemoteInputSample) -> Option<RemoteInputSample> {
    if sample.timer_resolution_micros != 0 {
        if kept.timer_resolution_micros != sample.timer_resolution_micros {
            for column in [
                &mut kept.pointer_interval_micros,
                &mut kept.key_repeat_interval_micros,
                &mut kept.natural_loop_micros,
                &mut kept.correction_micros,
            ] {
                column.clear();
            }
            kept.event_delay_micros.clear();
            kept.timer_resolution_micros = sample.timer_resolution_micros;
        }
        extend(&mut kept.event_delay_micros, sample.event_delay_micros);
        extend(&mut kept.pointer_interval_micros, sample.pointer_interval_micros);
        extend(&mut kept.key_repeat_interval_micros, sample.key_repeat_interval_micros);
        extend(&mut kept.natural_loop_micros, sample.natural_loop_micros);
        extend(&mut kept.correction_micros, sample.correction_micros);
        drop_oldest(&mut kept.natural_loop_micros, limits::LOOPS_MAX);
        drop_oldest(&mut kept.correction_micros, limits::LOOPS_MAX);
    }
    if sample.remote_session_reported.is_some() && kept.remote_session_reported != Some(true) {
        kept.remote_session_reported = sample.remote_session_reported;
    }
    if sample.input_path != InputPath::Unknown {
        kept.input_path = sample.input_path;
    }
    if let Some(injected) = sample.injected_event_count {
        kept.injected_event_count = Some(kept.injected_event_count.unwrap_or(0).saturating_add(injected));
    }
    kept.event_count = kept.event_count.saturating_add(sample.event_count);
    for program in sample.remote_control_programs {
        let room = kept.remote_control_programs.len() < limits::PROGRAMS_MAX;
        if room && !kept.remote_control_programs.contains(&program) {
            kept.remote_control_programs.push(program);
        }
    }
    extend(&mut kept.stall_times, sample.stall_times);
    drop_oldest(&mut kept.stall_times, limits::STALLS_MAX);
    None
}

/// Grows by just so much: ten thousand sessions with half-empty columns would be half a budget of nothing.
fn extend<T>(kept: &mut Vec<T>, more: Vec<T>) {
    kept.reserve_exact(more.len());
    kept.extend(more);
}

pub(super) fn drop_oldest<T>(column: &mut Vec<T>, max: usize) {
    let over = column.len().saturating_sub(max);
    if over > 0 || column.capacity() > column.len() {
        // Into room of its own size: allocators leave what shrinks by less than half where it was.
        *column = column.drain(..).skip(over).collect();
    }
}

pub(super) fn trim_typing(typing: &mut TypingSample, max: usize) {
    drop_oldest(&mut typing.press_interval_micros, max);
    drop_oldest(&mut typing.dwell_micros, max);
    drop_oldest(&mut typing.key_classes, max);
    if let Some(first) = typing.press_interval_micros.first_mut() {
        *first = 0;
    }
}

pub(super) fn trim_moves(pointer: &mut PointerSample, max: usize) {
    let over = pointer.interval_micros.len().saturating_sub(max);
    for column in [&mut pointer.delta_x, &mut pointer.delta_y] {
        drop_oldest(column, max);
        if let Some(first) = column.first_mut() {
            *first = 0;
        }
    }
    drop_oldest(&mut pointer.interval_micros, max);
    if let Some(first) = pointer.interval_micros.first_mut() {
        *first = 0;
    }
    pointer.button_down_indexes.retain(|index| *index as usize >= over);
    pointer.button_down_indexes.iter_mut().for_each(|index| *index -= over as u32);
    pointer.button_down_indexes.shrink_to_fit();
}

pub(super) fn trim_timings(sample: &mut RemoteInputSample, max: usize) {
    drop_oldest(&mut sample.event_delay_micros, max);
    drop_oldest(&mut sample.pointer_interval_micros, max);
    drop_oldest(&mut sample.key_repeat_interval_micros, max);
}

fn newest<T: Clone>(column: &[T], max: usize) -> Vec<T> {
    column[column.len().saturating_sub(max)..].to_vec()
}

pub(super) fn newest_typing(typing: &TypingSample, max: usize) -> TypingSample {
    if typing.context == TypingContext::FixedPhrase || typing.dwell_micros.len() <= max {
        return typing.clone();
    }
    let mut press_interval_micros = newest(&typing.press_interval_micros, max);
    if let Some(first) = press_interval_micros.first_mut() {
        *first = 0;
    }
    TypingSample {
        phrase_id: typing.phrase_id.clone(),
        press_interval_micros,
        dwell_micros: newest(&typing.dwell_micros, max),
        key_classes: newest(&typing.key_classes, max),
        ..*typing
    }
}

pub(super) fn newest_moves(pointer: &PointerSample, max: usize) -> PointerSample {
    let mut pointer = pointer.clone();
    trim_moves(&mut pointer, max);
    pointer
}

pub(super) fn newest_prompts(challenge: &ChallengeSample) -> ChallengeSample {
    ChallengeSample { reaction_micros: newest(&challenge.reaction_micros, limits::WINDOW_PROMPTS), ..*challenge }
}

pub(super) fn newest_timings(sample: &RemoteInputSample) -> RemoteInputSample {
    let mut sample = sample.clone();
    trim_timings(&mut sample, limits::WINDOW_DELAYS);
    sample
}
