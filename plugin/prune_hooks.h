/* prune_hooks.h - the calls that the patches put into Darknet, one line each
 *
 * Every one returns at once when pruning is not configured for the network, so that an unconfigured Darknet computes
 * the same bits as an unpatched one. Included by Darknet's own files after darknet.h.
 */
#ifndef PRUNE_HOOKS_H
#define PRUNE_HOOKS_H

#include "darknet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* parser.c, parse_network_cfg: first statement. A cfg with prune keys is checked whole, before Darknet's own reader can trip over
 * it; exits 1 on a fault. Other cfgs are only looked through for such a key. */
void prune_check_cfg(char *cfgfile);

/* parser.c, parse_network_cfg: before option_unused(options). Marks the layer's prune keys as used. */
void prune_parse_layer(list *options);

/* parser.c, parse_network_cfg: before `return net`. Reads the prune keys of the cfg and, if there are any, attaches masks to net->prune. */
void prune_net_ready(network *net, char *cfgfile);

/* network.c, free_network: first statement. */
void prune_net_free(network *net);

/* parser.c, load_weights_upto: after fopen, before anything is read. Packed weights (.pweights, found by their first bytes) are closed and become a stream of the bytes of the .weights
 * file that they stand for, once the layers up to `cutoff` that both have are found to be the same; exits 1 on a fault. Any other file, or NULL, is returned as it is. */
FILE *prune_open_weights(FILE *fp, network *net, char *filename, int cutoff);

/* parser.c, load_weights_upto: last statement, after fclose. Takes masks and optimizer state from the .prune file, or masks from exact zeros. */
void prune_after_load(network *net, char *filename, int start, int cutoff);

/* parser.c, save_weights_upto: first statement. A network that the engine has made sparse is dense again. */
void prune_before_save(network *net);

/* parser.c, save_weights_upto: the weights up to layer `cutoff` are complete and synced under `temporary`, and about to be renamed to `filename`.
 * Writes the .prune file's temporary; a file of only the first layers gets none. */
void prune_before_commit(network *net, char *temporary, char *filename, int cutoff);

/* parser.c, save_weights_upto: last statement, after the rename. Renames the .prune file too. */
void prune_after_save(network *net, char *filename);

/* network.c, update_network: before the loop over l.update (after a.t is set), and after it. */
void prune_before_update(network *net);
void prune_after_update(network *net);

/* examples/darknet.c, main: before any other option is read. Takes -nosparse, -sparse and -threads <n> out of the command line of Darknet's own commands. */
void prune_take_options(int argc, char **argv);

/* examples/darknet.c, main: the prune sub-command. Returns the exit status. */
int run_prune(int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
