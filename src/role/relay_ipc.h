/* relay_ipc.h - a job and its result as messages between queue and relay. */
#ifndef ROLE_RELAY_IPC_H
#define ROLE_RELAY_IPC_H

#include <postern/core/arena.h>
#include <postern/ipc/ipc.h>
#include <postern/queue/queue.h>

/* Both ways; what is built lives in the arena, what is read points into the message and the arena. False: nonsense. */
void relay_job_pack(const struct queue_job *job, struct arena *a, struct relay_mail_ask *out);
bool relay_job_unpack(const struct relay_mail_ask *ask, struct arena *a, struct queue_job *out);
void relay_result_pack(const struct queue_relayed *r, struct arena *a, struct relay_mail_answer *out);
bool relay_result_unpack(const struct relay_mail_answer *answer, struct arena *a, struct queue_relayed *out);

#endif
