#include "vito/rate_line.h"

#include "runtime/assert.h"

static void
append_turn(struct vito_line *line, struct vito_bucket_subject *subject)
{
    subject->turn_next = NULL;
    subject->turn_previous = line->turn_last;
    if (line->turn_last != NULL)
        line->turn_last->turn_next = subject;
    else
        line->turn_first = subject;
    line->turn_last = subject;
}

static void
unlink_turn(struct vito_line *line, struct vito_bucket_subject *subject)
{
    if (subject->turn_previous != NULL)
        subject->turn_previous->turn_next = subject->turn_next;
    else
        line->turn_first = subject->turn_next;
    if (subject->turn_next != NULL)
        subject->turn_next->turn_previous = subject->turn_previous;
    else
        line->turn_last = subject->turn_previous;
    subject->turn_next = subject->turn_previous = NULL;
}

static void
append_to_subject(struct vito_bucket_subject *subject, struct vito_bucket_waiter *waiter)
{
    waiter->subject = subject;
    waiter->next = NULL;
    waiter->previous = subject->last;
    if (subject->last != NULL)
        subject->last->next = waiter;
    else
        subject->first = waiter;
    subject->last = waiter;
    subject->waiting++;
}

static void
unlink_from_subject(struct vito_bucket_subject *subject, struct vito_bucket_waiter *waiter)
{
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        subject->first = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    else
        subject->last = waiter->previous;
    waiter->next = waiter->previous = NULL;
    waiter->subject = NULL;
    subject->waiting--;
}

static void
append_by_age(struct vito_line *line, struct vito_bucket_waiter *waiter)
{
    waiter->newer = NULL;
    waiter->older = line->newest;
    if (line->newest != NULL)
        line->newest->newer = waiter;
    else
        line->oldest = waiter;
    line->newest = waiter;
}

static void
unlink_from_ages(struct vito_line *line, struct vito_bucket_waiter *waiter)
{
    if (waiter->older != NULL)
        waiter->older->newer = waiter->newer;
    else
        line->oldest = waiter->newer;
    if (waiter->newer != NULL)
        waiter->newer->older = waiter->older;
    else
        line->newest = waiter->older;
    waiter->newer = waiter->older = NULL;
}

void
vito_line_push(struct vito_line *line, struct vito_bucket_subject *subject,
               struct vito_bucket_waiter *waiter)
{
    RT_ASSERT(waiter->subject == NULL);
    if (subject->waiting == 0) {
        append_turn(line, subject);
        line->subjects++;
    }
    append_to_subject(subject, waiter);
    append_by_age(line, waiter);
    line->waiting++;
}

void
vito_line_remove(struct vito_line *line, struct vito_bucket_waiter *waiter)
{
    struct vito_bucket_subject *subject = waiter->subject;
    RT_ASSERT(subject != NULL);
    unlink_from_subject(subject, waiter);
    unlink_from_ages(line, waiter);
    line->waiting--;
    if (subject->waiting == 0) {
        unlink_turn(line, subject);
        line->subjects--;
    }
}

struct vito_bucket_waiter *
vito_line_pop(struct vito_line *line)
{
    struct vito_bucket_subject *subject = line->turn_first;
    RT_ASSERT(subject != NULL);
    struct vito_bucket_waiter *waiter = subject->first;
    vito_line_remove(line, waiter);
    if (subject->waiting > 0) {
        unlink_turn(line, subject);
        append_turn(line, subject);
    }
    return waiter;
}

uint32_t
vito_line_position(const struct vito_line *line, const struct vito_bucket_subject *subject)
{
    if (subject == NULL || subject->waiting == 0)
        return line->subjects + 1; /* everyone else once, then this one */
    /* Its n-th waiter is served by the end of the n-th round. */
    uint64_t rounds = (uint64_t)(subject->waiting + 1) * line->subjects;
    uint64_t all = (uint64_t)line->waiting + 1;
    return (uint32_t)(rounds < all ? rounds : all);
}
