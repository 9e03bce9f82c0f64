/* cmd_check - `ostler check`: what is wrong with workflows and manifests, before anything runs. */
#pragma once

int cmd_check(int argc, char **argv);
