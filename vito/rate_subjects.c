#include "vito/rate_subjects.h"

#include "runtime/pool.h"

struct vito_bucket_subject *
vito_subjects_find(const struct rt_table *subjects, uint64_t id)
{
    uint64_t hash = rt_hash_u64(id);
    struct rt_table_link *link = rt_table_find(subjects, hash, NULL);
    for (; link != NULL; link = rt_table_find(subjects, hash, link)) {
        struct vito_bucket_subject *subject =
            RT_CONTAINER_OF(link, struct vito_bucket_subject, link);
        if (subject->id == id)
            return subject;
    }
    return NULL;
}

struct vito_bucket_subject *
vito_subjects_take(struct rt_table *subjects, struct vito_bucket_subject *known, uint64_t id)
{
    if (known != NULL)
        return known;
    struct vito_bucket_subject *subject = rt_pool_take(sizeof(*subject));
    if (subject == NULL)
        return NULL;
    *subject = (struct vito_bucket_subject){.id = id};
    if (rt_table_add(subjects, &subject->link, rt_hash_u64(id)))
        return subject;
    rt_pool_give(subject, sizeof(*subject));
    return NULL;
}

void
vito_subjects_forget_if_idle(struct rt_table *subjects, struct vito_bucket_subject *subject)
{
    if (subject->waiting > 0 || subject->promised != NULL)
        return;
    rt_table_remove(subjects, &subject->link);
    rt_pool_give(subject, sizeof(*subject));
}

void
vito_subjects_deinit(struct rt_table *subjects)
{
    struct rt_table_link *link = rt_table_first(subjects);
    while (link != NULL) {
        struct vito_bucket_subject *subject =
            RT_CONTAINER_OF(link, struct vito_bucket_subject, link);
        link = link->newer;
        rt_pool_give(subject, sizeof(*subject));
    }
    rt_table_deinit(subjects);
}
