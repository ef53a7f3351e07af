/* args.h - command line of one command, read against a table: the same table checks the arguments and prints the help. */
#ifndef EN_CLI_ARGS_H
#define EN_CLI_ARGS_H
#include "../core/include/en.h"

typedef enum {
  ARG_FLAG,   /* given or not */
  ARG_INT,    /* a whole number in [min, max] */
  ARG_NUMBER, /* a number in [min, max] */
  ARG_TEXT,   /* any text */
  ARG_TEXTS,  /* the same, may be given several times */
  ARG_INTS    /* comma-separated whole numbers in [min, max] */
} arg_kind;

enum { ARG_PARAM = 1, ARG_REQUIRED = 2 };
/* One option. With ARG_PARAM in flags the bounds, the default and the help are those of en_param(param). */
typedef struct {
  const char *name;    /* without dashes: "temp" is --temp, "p" is -p */
  const char *value;   /* what the help calls its value; NULL for flags */
  const char *help;
  double min, max, fallback; /* fallback: the value if it is not given */
  uint8_t kind, flags;
  uint8_t param;       /* EN_P_* */
} arg_option;

typedef struct cli_command cli_command;
typedef struct {
  int given;           /* how often */
  double number;       /* ARG_INT, ARG_NUMBER, ARG_FLAG */
  const char *text;    /* the last one */
  int32_t *ints;       /* ARG_INTS */
  size_t n_ints;
  const char **texts;  /* ARG_TEXTS: the `given` texts in order */
} arg_value;
typedef struct {
  const cli_command *command;
  char **argv;         /* operands are moved to the front: argv[0..n_operands-1] */
  int n_operands;
  arg_value *values;   /* one for each option of the table */
} cli_args;

struct cli_command {
  const char *name, *operands, *summary; /* operands as the help shows them, e.g. "MODEL" */
  const char *notes;                     /* more lines for the help, or NULL */
  const arg_option *options;
  int n_options, min_operands, max_operands; /* max_operands -1: any number */
  int (*run)(const cli_args *a);         /* returns the exit code */
};
#define CLI_OPTIONS(table) table, (int)(sizeof(table) / sizeof *(table))

/* Reads argv[0..argc-1] (what follows the command's name). 1 on success; 0 after a line on stderr that names the option. Frees
 * nothing on failure but what it made; call args_free on success. */
int args_read(cli_args *a, const cli_command *command, int argc, char **argv);
void args_free(cli_args *a);
void args_help(const cli_command *command);

static inline int32_t args_int(const cli_args *a, int option) { return (int32_t)a->values[option].number; }
static inline double args_number(const cli_args *a, int option) { return a->values[option].number; }
static inline const char *args_text(const cli_args *a, int option) { return a->values[option].text; }
static inline int args_given(const cli_args *a, int option) { return a->values[option].given; }
#endif
