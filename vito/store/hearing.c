#include "vito/store/hearing.h"

void
vito_hearing_begin(struct vito_hearing *hearing, int64_t change)
{
    *hearing = (struct vito_hearing){.heard = change, .last = change, .awaited = change};
}

/* One change may have several news. */
enum vito_heard
vito_hearing_take(struct vito_hearing *hearing, int64_t change)
{
    if (change < hearing->heard)
        return VITO_HEARD_BEFORE;
    bool is_next = change <= hearing->heard + 1;
    hearing->heard = change;
    return is_next ? VITO_HEARD_NEXT : VITO_HEARD_GAP;
}

void
vito_hearing_ask(struct vito_hearing *hearing, int64_t change)
{
    hearing->last = change;
}

bool
vito_hearing_has_missed(struct vito_hearing *hearing)
{
    bool missed = hearing->heard < hearing->awaited;
    if (missed)
        hearing->heard = hearing->awaited;
    return missed;
}

void
vito_hearing_await(struct vito_hearing *hearing)
{
    hearing->awaited = hearing->last;
}
