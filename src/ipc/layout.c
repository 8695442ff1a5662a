/* layout.c - expands calls.def into the field tables, the permission table and the typed functions. */
#include "layout.h"

#include <stddef.h>

static const char *const role_names[] = {
#define ROLE(upper, name) [ROLE_##upper] = name,
	ROLES(ROLE)
#undef ROLE
};

const char *
role_name(unsigned role)
{
	return role < ROLE_COUNT ? role_names[role] : "?";
}

bool
role_from_name(struct str name, enum role *role)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (!str_eq(name, str_of(role_names[i])))
			continue;
		*role = (enum role)i;
		return true;
	}
	return false;
}

enum {
#define ROLE(upper, name) upper = 1 << ROLE_##upper,
	ROLES(ROLE)
#undef ROLE
	EVERY = ((1 << ROLE_COUNT) - 1) & ~CLI, /* the command line asks and is not asked */
};

#define FROM(mask) (mask)
#define TO(mask) (mask)
#define ASK(...) __VA_ARGS__
#define ANSWER(...) __VA_ARGS__

/* field tables: inside each block T is the struct whose fields are listed */
#define F(type, field) { FIELD_##type, offsetof(T, field), #field },
#define FIELDS(structure, ...)                                                                                         \
	{                                                                                                              \
		typedef struct structure T;                                                                            \
		static const struct ipc_field table[] = { __VA_ARGS__{ FIELD_END, 0, NULL } };                        \
		return table;                                                                                          \
	}
#define CALL(upper, name, from, to, ask, answer)                                                                       \
	static const struct ipc_field *ask_fields_##name(void) FIELDS(name##_ask, ask)                                 \
	static const struct ipc_field *answer_fields_##name(void) FIELDS(name##_answer, answer)
#define CAST(upper, name, from, to, ask) static const struct ipc_field *ask_fields_##name(void) FIELDS(name##_ask, ask)
#include <postern/ipc/calls.def>
#undef CALL
#undef CAST

/* a handler and an answer's callback are called with the types they were declared with */
#define CALL(upper, name, from, to, ask, answer)                                                                       \
	static bool served_##name(const struct ipc_handlers *h)                                                        \
	{                                                                                                              \
		return h->name != NULL;                                                                                \
	}                                                                                                              \
	static void handle_##name(const struct ipc_handlers *h, void *ctx, struct ipc_chan *c, struct ipc_question *q, \
	    const void *said)                                                                                          \
	{                                                                                                              \
		(void)c;                                                                                               \
		h->name(ctx, q, said);                                                                                 \
	}                                                                                                              \
	static void deliver_##name(void (*on)(void), void *ctx, const void *said)                                      \
	{                                                                                                              \
		((void (*)(void *, const struct name##_answer *))on)(ctx, said);                                       \
	}                                                                                                              \
	struct ipc_call *ask_##name(struct ipc_chan *c, const struct name##_ask *question,                             \
	    void (*on)(void *ctx, const struct name##_answer *answer_), void *ctx)                                     \
	{                                                                                                              \
		return ipc_ask(c, IPC_##upper, question, (void (*)(void))on, ctx);                                     \
	}                                                                                                              \
	void answer_##name(struct ipc_question *q, const struct name##_answer *answer_)                                \
	{                                                                                                              \
		ipc_answer(q, IPC_##upper, answer_);                                                                   \
	}
#define CAST(upper, name, from, to, ask)                                                                               \
	static bool served_##name(const struct ipc_handlers *h)                                                        \
	{                                                                                                              \
		return h->name != NULL;                                                                                \
	}                                                                                                              \
	static void handle_##name(const struct ipc_handlers *h, void *ctx, struct ipc_chan *c, struct ipc_question *q, \
	    const void *said)                                                                                          \
	{                                                                                                              \
		(void)q;                                                                                               \
		h->name(ctx, c, said);                                                                                 \
	}                                                                                                              \
	void say_##name(struct ipc_chan *c, const struct name##_ask *said)                                             \
	{                                                                                                              \
		ipc_say(c, IPC_##upper, said);                                                                         \
	}
#include <postern/ipc/calls.def>
#undef CALL
#undef CAST

static struct ipc_layout layouts[IPC_TYPES];

static void __attribute__((constructor))
fill_layouts(void)
{
#define CALL(upper, name_, from_, to_, ask_, answer_)                                                                  \
	layouts[IPC_##upper] = (struct ipc_layout){ .name = #name_, .from = from_, .to = to_,                          \
		.ask_size = sizeof(struct name_##_ask), .answer_size = sizeof(struct name_##_answer),                  \
		.ask = ask_fields_##name_(), .answer = answer_fields_##name_(), .served = served_##name_,              \
		.handle = handle_##name_, .deliver = deliver_##name_ };
#define CAST(upper, name_, from_, to_, ask_)                                                                           \
	layouts[IPC_##upper] = (struct ipc_layout){ .name = #name_, .from = from_, .to = to_,                          \
		.ask_size = sizeof(struct name_##_ask), .ask = ask_fields_##name_(), .served = served_##name_,         \
		.handle = handle_##name_ };
#include <postern/ipc/calls.def>
#undef CALL
#undef CAST
}

const struct ipc_layout *
ipc_layout(unsigned type)
{
	return type < IPC_TYPES ? &layouts[type] : NULL;
}

size_t
ipc_size(enum ipc_type type, bool answer)
{
	return answer ? layouts[type].answer_size : layouts[type].ask_size;
}

const char *
ipc_name(unsigned type)
{
	return type < IPC_TYPES ? layouts[type].name : "?";
}

bool
ipc_allowed(enum ipc_type type, enum role from, enum role to)
{
	return (layouts[type].from >> from & 1) != 0 && (layouts[type].to >> to & 1) != 0;
}
