/* main.c - edge-net, the command: finds the command by name and runs it. */
#include "cli.h"
#include <string.h>

static const cli_command *const commands[] = {
#define CLI_COMMAND(name) &cli_command_##name,
    CLI_COMMANDS
#undef CLI_COMMAND
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void help(FILE *f) {
  fputs("usage: edge-net COMMAND ...\n\nRuns small language models (GGUF files).\n\n", f);
  for (int i = 0; i < N_COMMANDS; i++) fprintf(f, "  %-13s %s\n", commands[i]->name, commands[i]->summary);
  fputs("\nedge-net COMMAND --help tells the options of a command.\n", f);
}

static int is_help(const char *arg) { return !strcmp(arg, "--help") || !strcmp(arg, "-h"); }

int main(int argc, char **argv) {
  if (argc < 2) { help(stderr); return 2; }
  if (is_help(argv[1])) { help(stdout); return 0; }
  for (int i = 0; i < N_COMMANDS; i++) {
    const cli_command *c = commands[i];
    if (strcmp(argv[1], c->name)) continue;
    for (int k = 2; k < argc && strcmp(argv[k], "--"); k++)
      if (is_help(argv[k])) { args_help(c); return 0; }
    cli_args args;
    if (!args_read(&args, c, argc - 2, argv + 2)) return 2;
    const int code = c->run(&args);
    args_free(&args);
    /* Lost output (a full disk, a closed pipe) is an error too. */
    if (fflush(stdout) || ferror(stdout)) return cli_fail(NULL, "the output could not be written");
    return code;
  }
  fprintf(stderr, "edge-net: %s: no such command; see edge-net --help\n", argv[1]);
  return 2;
}
