#include "vito/rate_window.h"

#include <string.h>

#include "runtime/compiler.h"
#include "runtime/world.h"

void
vito_window_advance(struct vito_window *window, uint64_t now_ns)
{
    uint64_t slot = now_ns / (RT_NS_PER_S / VITO_WINDOW_SLOTS);
    if (slot - window->newest >= RT_COUNT_OF(window->slots)) {
        memset(window, 0, sizeof(*window));
        window->newest = slot;
    }
    while (window->newest < slot) {
        uint32_t *oldest = &window->slots[++window->newest % RT_COUNT_OF(window->slots)];
        window->count -= *oldest;
        *oldest = 0;
    }
}

void
vito_window_add(struct vito_window *window)
{
    window->slots[window->newest % RT_COUNT_OF(window->slots)]++;
    window->count++;
}
