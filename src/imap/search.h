/* search.h - the parts of SEARCH: search_parse.c and search_args.c (grammar), search_key.c (the table of keys), search_text.c
 * (looking into headers and bodies), cmd_search.c (the walk), search_tell.c (the answer). SORT and THREAD are a struct
 * search with more behind it.
 *
 * A key says yes, no, or "not yet": each message is asked with what is at hand (the record), and only while the
 * answer is open more is fetched: keys (mailkeys.h), envelope, header, text. */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include <postern/message/charset.h>
#include <postern/message/encoding.h>
#include <postern/store/grams.h>

#include "fuzzy.h"
#include "letter.h"
#include "mailkeys.h"
#include "numbers.h"
#include "scores.h"
#include "sess.h"

enum {
	SEARCH_DEPTH_MAX = 100,  /* NOT, OR and parentheses in each other */
	SEARCH_KEYS_MAX = 2000,  /* keys of one SEARCH */
	SEARCH_TEXTS_MAX = 64,   /* BODY and TEXT keys of one SEARCH */
	SEARCH_NEEDLES_MAX = 500, /* strings that are looked for in one SEARCH */
	SEARCH_NEEDLE_MAX = 4096, /* bytes of one */
	SEARCH_FUZZY_WORDS_MAX = 32, /* words that may be written differently, of one SEARCH */
	SEARCH_NEAR_DAYS = 7,    /* FUZZY: so many days beside a date, … */
	SEARCH_NEAR_PART = 4,    /* … this part of a size or an age beside it, … */
	SEARCH_NEAR_FLAG = 30,   /* … and what a message is worth whose flag is not as asked for */
	SEARCH_HEADER_MAX = 256 * 1024, /* octets of one header that are looked at */
	SEARCH_REACH_ALL = 4 << 20,     /* octets of a text, times the strings that are looked for in it … */
	SEARCH_REACH_MIN = 16 * 1024,   /* … but each looks at so many */
	SEARCH_PIECE = 32 * 1024,
};

enum search_level { LEVEL_RECORD, LEVEL_KEYS, LEVEL_ENVELOPE, LEVEL_HEADER, LEVEL_TEXT };
enum truth { TRUTH_NO, TRUTH_YES, TRUTH_OPEN };

/* What FUZZY makes of a key: nothing, … */
enum search_near {
	NEAR_EXACT,
	NEAR_WORDS, /* words with typos (fuzzy.h) */
	NEAR_DAYS,  /* the less the further off */
	NEAR_PART,
	NEAR_FLAG,  /* a wish */
};

enum search_return {
	RETURN_MIN = 1 << 0,
	RETURN_MAX = 1 << 1,
	RETURN_ALL = 1 << 2,
	RETURN_COUNT = 1 << 3,
	RETURN_SAVE = 1 << 4,
	RETURN_PARTIAL = 1 << 5,
	RETURN_GIVEN = 1 << 6, /* RETURN was there: the answer is ESEARCH */
	RETURN_UPDATE = 1 << 7,
	RETURN_CONTEXT = 1 << 8, /* a hint that needs no help: PARTIAL costs the same with it */
	RETURN_RELEVANCY = 1 << 9,
};

struct context;
struct fetch;
/* What becomes of a search of more messages than one command may be about (limit.h). */
enum search_limit { SEARCH_ANY_NUMBER, SEARCH_THE_LAST, SEARCH_ALL_OR_NONE };

struct search;
struct search_key;

struct search_row {
	struct str name;
	void (*parse)(struct lex *l, struct search *q, struct search_key *k);
	enum truth (*match)(struct search *q, const struct search_key *k);
	enum search_level level; /* where its answer is known */
	enum mailkeys_text text; /* LEVEL_KEYS: the text behind the last one that it looks into */
	uint32_t flag;           /* for keys that ask for one */
	enum search_near near;
	uint64_t (*off)(const struct search *q, const struct search_key *k); /* how far the message is from matching */
	const char *rfc;
	const char *capability;
};

struct search_key {
	const struct search_row *row;
	struct search_key *next;  /* and … */
	struct search_key *child; /* NOT, OR, (…) */
	struct str needle;        /* folded (charset_fold) */
	struct str word;          /* field name or keyword as sent */
	uint64_t number;
	int64_t day;
	int64_t second;           /* OLDER, YOUNGER: so many seconds ago, since the epoch */
	struct seq_set set;
	struct uidset *members;   /* what the set means: sequence numbers … */
	bool by_uid;              /* … or UIDs; those of "$" are in search.saved */
	struct fuzzy *fuzzy;      /* FUZZY: the needle with typos; of the message under way */
	bool near;                /* FUZZY means something for this key */
	bool graded;              /* OR: it does for one below */
	uint8_t *score;           /* of the message under way, if it matches; 0: the key does not count */
	struct store_may *may;    /* of the block under way: what the search index says of the needle; NULL: nothing */
	unsigned text;            /* BODY, TEXT: bit in struct search_text.found */
	unsigned keyword;         /* KEYWORD: its bit; STORE_KEYWORDS_MAX when the mailbox has no such */
};

/* Streams a message past the needles of BODY and TEXT keys, or into a set of grams. */
struct search_text {
	struct gram_set *grams;         /* NULL: it is looked into */
	bool enough;                    /* they want no more */
	const struct search_key *keys[SEARCH_TEXTS_MAX];
	unsigned n;
	size_t longest;                 /* needle */
	uint64_t found;                 /* by bit: nothing more is to be known of the key */
	bool fuzzy;                     /* some keys are */
	bool scored;                    /* how well they match is asked for */
	bool headers;                   /* only TEXT keys look here */
	struct fuzzy_words words;
	const struct mime_part *part;   /* NULL: at the end */
	bool in_body;
	uint64_t at;                    /* octets of the body decoded so far */
	struct decoder decoder;
	struct charset_reader *charset;
	struct buf window;              /* folded text: the end of what was looked at, and what is new */
};

struct search_may_word;

/* What the search index says of the needles, a block of messages at a time. */
struct search_may {
	bool on;                /* it knows the mailbox */
	uint32_t block;         /* the one under way; UINT32_MAX: none yet */
	unsigned n;
	struct store_needle *needles;
	struct store_may *may;  /* by needle; that of a key is key->may */
	struct search_may_word *word; /* of keys with FUZZY … */
	unsigned nwords;
};

/* Text of the envelope or of a header field as it is looked into: decoded and folded once for all keys. */
enum search_field { FIELD_FROM, FIELD_TO, FIELD_CC, FIELD_BCC, FIELD_SUBJECT, SEARCH_FIELDS };

struct search_folded {
	struct search_folded *next;
	struct str name; /* of a header field */
	struct str text;
};

struct search {
	unsigned returns;
	struct partial partial;
	struct str charset;
	bool charset_given;        /* SEARCH CHARSET */
	bool bad_charset;
	bool numbers;              /* sequence numbers are among the keys */
	struct search_key *keys;   /* a list: all of them */
	unsigned nkeys;
	unsigned nneedles;
	uint64_t looked;           /* octets of texts that keys looked at in this step */
	bool fuzzily;              /* keys that are read stand behind FUZZY */
	bool fuzzy;                /* FUZZY was there */
	bool scored;               /* scores are asked for */
	bool near_flags;           /* the score hangs on flags */
	unsigned nnear;            /* keys that FUZZY means something for */
	unsigned nwords;           /* of their texts */
	unsigned depth;
	enum search_level deepest; /* any key needs */
	bool asks_keys;            /* some key is answered by them (mailkeys.h): … */
	enum mailkeys_text texts;  /* … the texts before this one */
	uint64_t lines;            /* header fields asked for that are kept (headlines.h) … */
	bool unkept;               /* … and there are others */
	/* the walk */
	struct imap_session *s;
	struct command *c;
	struct selected *box;      /* the mailbox that is searched */
	const struct uidset *saved; /* "$" … */
	bool uses_saved;           /* … is among the keys */
	struct arena sets;         /* what the sets mean in this mailbox */
	const struct uidset *only; /* sequence numbers that are asked; NULL: all */
	struct uidset within;      /* sequence numbers that can match */
	enum search_limit limit;
	uint32_t next;             /* sequence number, 0: done */
	struct store_message m;
	bool by_id;                /* an EMAILID key: */
	struct id email_id;        /* of the message */
	enum search_level level;   /* what is at hand of the message */
	struct mailkeys mailkeys;  /* of the cache, at LEVEL_KEYS, while the index is open */
	const struct mime_envelope *envelope; /* of the cache, while the index is open; else the letter has it */
	struct letter letter;
	struct arena folds;        /* of the message under way */
	struct search_folded *field[SEARCH_FIELDS]; /* NULL: not looked into yet */
	struct search_folded *header;               /* all its fields */
	struct search_text text;
	struct search_may may;
	struct uidset found;       /* sequence numbers */
	uint8_t score;             /* of the message under way, as that of a key */
	struct scores scores;      /* of what was found */
	bool modseq;               /* a MODSEQ key: the answer tells mod-sequences (RFC 7162 3.1.5) */
	uint64_t highest;          /* of what was found, … */
	uint64_t first_modseq;     /* … of the first result … */
	uint64_t last_modseq;      /* … and the last */
	struct context *context;   /* RETURN (UPDATE), context.h; NULL: not asked for */
	struct fetch *update;      /* data of new results: UPDATE (…) (RFC 5465 7); NULL: none */
	/* SORT and THREAD */
	void (*each)(struct search *q, const struct mailkeys *k); /* q->m and its keys; NULL unless asked for */
	bool wants_keys;
	bool keys_only;            /* of q->m each looks at the UID, and at INTERNALDATE when the keys have no date */
	enum step (*after_each)(struct imap_session *s, struct command *c);
	/* the answer */
	enum step (*then)(struct imap_session *s, struct command *c); /* after the walk */
	const char *response;      /* SEARCH, SORT; NULL: ESEARCH without being asked for (rev2) */
	struct str correlator;     /* behind TAG: which mailbox (RFC 7377 2.1) */
	enum step (*told_step)(struct imap_session *s, struct command *c); /* behind it; NULL: the command is done */
	bool ordered;              /* seqs and told are filled already */
	struct numbers seqs;       /* the results in their order, as sequence numbers … */
	struct numbers told;       /* … and as the client wants them */
	size_t at;                 /* the next range of told to be written … */
	uint32_t at_number;        /* … and the next number in it */
	bool scores_told;          /* RELEVANCY has begun */
	bool failed;               /* some message could not be read */
	bool missing;              /* some are gone, which cannot be told yet */
	bool twice;                /* what was found is looked at once more: SORT, THREAD … */
	bool again;                /* … which has begun */
};

/* search_args.c: the arguments of keys. */
void search_parse_nothing_more(struct lex *l, struct search *q, struct search_key *k);
void search_parse_needle(struct lex *l, struct search *q, struct search_key *k);
void search_parse_text(struct lex *l, struct search *q, struct search_key *k);
void search_parse_header(struct lex *l, struct search *q, struct search_key *k);
void search_parse_keyword(struct lex *l, struct search *q, struct search_key *k);
void search_parse_modseq(struct lex *l, struct search *q, struct search_key *k);
void search_parse_object(struct lex *l, struct search *q, struct search_key *k);
void search_parse_date(struct lex *l, struct search *q, struct search_key *k);
void search_parse_age(struct lex *l, struct search *q, struct search_key *k);
void search_parse_number(struct lex *l, struct search *q, struct search_key *k);
void search_parse_uid(struct lex *l, struct search *q, struct search_key *k);
void search_parse_uidafter(struct lex *l, struct search *q, struct search_key *k);
void search_parse_uidbefore(struct lex *l, struct search *q, struct search_key *k);
void search_parse_set(struct lex *l, struct search *q, struct search_key *k);
void search_parse_not(struct lex *l, struct search *q, struct search_key *k);
void search_parse_or(struct lex *l, struct search *q, struct search_key *k);
void search_parse_list(struct lex *l, struct search *q, struct search_key *k);
void search_parse_fuzzy(struct lex *l, struct search *q, struct search_key *k);
void search_parse_key(struct lex *l, struct search *q, struct search_key *k);
struct search_key *search_new_key(struct lex *l, struct search *q);

/* "RETURN (…) " if it is there. charset: the name, which search_begin() checks. Then the keys up to the end. */
void search_parse_returns(struct lex *l, struct search *q);
void search_parse_charset(struct lex *l, struct search *q);
void search_parse_keys(struct lex *l, struct command *c, struct search *q);
/* [RETURN (…) SP] [CHARSET name SP] keys */
void search_parse_program(struct lex *l, struct command *c, struct search *q);
void search_init(struct search *q);
void search_fini(struct search *q);
/* Gives back what was only needed for the answer; the program can be asked again. */
void search_forget(struct search *q);

/* cmd_search.c */
/* Begins the walk of c->args, a struct search, in the selected mailbox; ends in q->then. */
enum step search_begin(struct imap_session *s, struct command *c);
/* The same in any mailbox; sets and results are new. */
enum step search_begin_in(struct imap_session *s, struct command *c, struct selected *box);
/* A CHARSET that is unknown, or none any more: the reply is set. */
bool search_is_refused(struct imap_session *s, struct command *c);
/* search_sets.c: what the set keys in the list mean in q->box; what one of them means is copied. */
void search_apply_sets(struct search *q, struct search_key *list);
void search_keep_members(struct search *q, struct search_key *k, const struct uidset *set);
/* The same once more for some messages; keywords that have come meanwhile are known, sets mean what they meant. */
enum step search_again(struct imap_session *s, struct command *c, const struct uidset *seqs);

/* search_within.c: fills q->within when the sets are applied. */
void search_find_within(struct search *q);

/* search_each.c: a q->then that calls q->each for every result and goes on with q->after_each. */
enum step search_each_step(struct imap_session *s, struct command *c);

/* How many of the messages are looked at. */
bool search_progress(const struct imap_session *s, const struct command *c, struct progress *p);

/* search_tell.c */
/* Saves what is to be saved and writes the answer. */
enum step search_tell_step(struct imap_session *s, struct command *c);
/* The tagged answer. */
enum step search_finish(struct imap_session *s, struct command *c);

/* search_key.c */
const struct search_row *search_find(struct str name);
/* The row of "(…)" and of a bare sequence set, which have no name. */
const struct search_row *search_list_row(void);
const struct search_row *search_set_row(void);
enum truth search_match(struct search *q);
/* A key that demands all the keys below it: "(…)", FUZZY. */
bool search_demands_all(const struct search_key *k);

/* The envelope that is at hand, at LEVEL_ENVELOPE or deeper. */
const struct mime_envelope *search_envelope(const struct search *q);

/* search_near.c: keys that compare days, ages and sizes, and what FUZZY makes of a key. */
uint64_t search_off_before(const struct search *q, const struct search_key *k);
uint64_t search_off_on(const struct search *q, const struct search_key *k);
uint64_t search_off_since(const struct search *q, const struct search_key *k);
uint64_t search_off_sentbefore(const struct search *q, const struct search_key *k);
uint64_t search_off_senton(const struct search *q, const struct search_key *k);
uint64_t search_off_sentsince(const struct search *q, const struct search_key *k);
uint64_t search_off_savedbefore(const struct search *q, const struct search_key *k);
uint64_t search_off_savedon(const struct search *q, const struct search_key *k);
uint64_t search_off_savedsince(const struct search *q, const struct search_key *k);
uint64_t search_off_older(const struct search *q, const struct search_key *k);
uint64_t search_off_younger(const struct search *q, const struct search_key *k);
uint64_t search_off_larger(const struct search *q, const struct search_key *k);
uint64_t search_off_smaller(const struct search *q, const struct search_key *k);
/* A key with "off". */
enum truth search_match_off(struct search *q, const struct search_key *k);
/* The key said this: what FUZZY makes of it. The score is set. */
enum truth search_match_near(const struct search *q, const struct search_key *k, enum truth said);
/* Does the text hold what the key looks for? */
bool search_holds(const struct search_key *k, struct str text);

/* search_field.c */
/* Adds the part of the envelope as it is looked into. */
void search_fold_field(struct buf *out, const struct mime_envelope *e, enum search_field field);
/* Octets of one text that each of so many strings looks at: all of them do in one step. */
size_t search_reach(size_t strings);
/* Does the part of the envelope hold what the key looks for? */
bool search_in_field(struct search *q, enum search_field field, const struct search_key *k);
/* Folds the fields of a header for search_in_header. */
void search_fold_header(struct search *q, struct str header);
bool search_in_header(struct search *q, const struct search_key *k);
/* The message is done with. */
void search_forget_folds(struct search *q);

/* search_may.c */
/* Gathers the needles of the keys. */
void search_may_begin(struct search *q, struct arena *a);
/* The message with this UID is next: false when the index says that it does not match. */
bool search_may_match(struct search *q, struct store_view *v, uint32_t uid);
/* What was looked into is taken into the index. */
void search_may_end(struct search *q);

/* search_text.c */
void search_text_begin(struct search_text *t, const struct mime *tree);
/* MORE until the whole message was looked at, or every needle was found. False in *ok: it could not be read. */
enum step search_text_step(struct search_text *t, struct letter *letter, bool *ok);
void search_text_fini(struct search_text *t);
/* Adds header text unfolded, decoded (RFC 2047) and folded in case. */
void search_fold_text(struct buf *out, struct str raw);
/* An empty needle is everywhere. */
bool search_contains(struct str text, struct str needle);

#endif
