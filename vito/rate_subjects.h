/*
 * vito/rate_subjects.h - the subjects a bucket knows: those that wait or were promised something.
 */
#ifndef VITO_RATE_SUBJECTS_H
#define VITO_RATE_SUBJECTS_H

#include "vito/rate_subject.h"

/* The subject of that id, or NULL. */
struct vito_bucket_subject *vito_subjects_find(const struct rt_table *subjects, uint64_t id);

/* `known`, or a new one when that is NULL; NULL when out of memory. */
struct vito_bucket_subject *vito_subjects_take(struct rt_table *subjects,
                                               struct vito_bucket_subject *known, uint64_t id);

/* Frees the subject, unless it waits or was promised something. */
void vito_subjects_forget_if_idle(struct rt_table *subjects, struct vito_bucket_subject *subject);

/* Frees all. */
void vito_subjects_deinit(struct rt_table *subjects);

#endif
