// SPDX-License-Identifier: MIT OR Apache-2.0
// The peer of the `load` benchmark: libbpf opens and loads one object, says its peak memory, and ends.
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct bpf_object *object;
	char line[256];
	FILE *status;

	if (argc != 2)
		return 2;
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object)) {
		fprintf(stderr, "%s: libbpf could not load it\n", argv[1]);
		return 1;
	}
	status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, "VmHWM:", 6))
			fputs(line, stdout);
	bpf_object__close(object);
	return 0;
}
