/* evaluator.h - a plain, slow forward pass for the tests, in double precision */
#ifndef PRUNE_TEST_EVALUATOR_H
#define PRUNE_TEST_EVALUATOR_H

#include "prune.h"

/* Runs one image of graph->inputs numbers through the network. `outputs` has n_nodes entries; each gets a new array of that layer's `outputs` numbers, which
 * prune_evaluate_free frees. Heads (yolo, region, detection, ...), cost and dropout hand on what they read. Recurrent and unknown kinds, and softmax with
 * a tree, are PRUNE_ERR_UNSUPPORTED; nothing is printed. */
int prune_evaluate(const struct prune_graph *graph, const struct prune_params *params, const double *input, double **outputs);
void prune_evaluate_free(const struct prune_graph *graph, double **outputs);

#endif
