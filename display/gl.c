/*
 * gl.c - bailey-display-gl.so, preloaded into Xvfb: OpenGL's configurations
 * without OpenGL.
 *
 * Programs draw by themselves and put the pixels into their windows; of the X
 * server GLX only wants to know what configurations there are.  For that Xvfb
 * loads Mesa's software driver, and LLVM with it: 9 MB that are written in
 * each sandbox and are in each image, and 50 ms.  Here a child loads the
 * driver, writes down what it says, and ends.  Indirect contexts, which Xvfb
 * refuses anyway unless told otherwise, are refused.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAIRS_MAX = 96, CONFIGS_MAX = 4096, EXTENSIONS_MAX = 16,
       NAME_MAX_LENGTH = 64, EXTENSION_BYTES = 256 };
#define DRIVER "/swrast_dri.so"
#define ENTRY "__driDriverGetExtensions_swrast"

/* ---- Mesa's interface, as much of it as Xvfb uses (dri_interface.h) ------- */
struct pair { unsigned attribute, value; };
struct config { unsigned count; struct pair pairs[]; };
struct extension { const char *name; int version; };

struct core {
	struct extension base;
	void *create_screen;
	void (*destroy_screen)(void *screen);
	const struct extension **(*get_extensions)(void *screen);
	int (*get_attribute)(const struct config *c, unsigned attribute,
			     unsigned *value);
	int (*index_attribute)(const struct config *c, int index,
			       unsigned *attribute, unsigned *value);
	void *create_drawable;
	void (*destroy_drawable)(void *drawable);
	void (*swap_buffers)(void *drawable);
	void *(*create_context)(void *screen, const struct config *c,
				void *shared, void *private);
	void *of_contexts[4];
};

struct swrast {
	struct extension base;
	void *(*create_screen)(int number, const struct extension **loader,
			       const struct config ***configs, void *private);
	void *(*create_drawable)(void *screen, const struct config *c,
				 void *private);
	void *newer[4];
};

typedef const struct extension **get_extensions(void);

/* ---- what the child says -------------------------------------------------- */
/* First this; then, for each configuration, how many pairs it
 * has, and those. */
struct answer {
	int core_version, swrast_version;
	unsigned extension_count, config_count;
	struct { int version; char name[NAME_MAX_LENGTH]; }
		extensions[EXTENSIONS_MAX];
};

static char driver_path[4096];
static struct answer answer;
static const struct extension *extensions[EXTENSIONS_MAX + 1];

get_extensions __driDriverGetExtensions_swrast;

/* ---- the child ----------------------------------------------------------- */
static void *open_really(const char *name, int flags)
{
	void *(*real)(const char *, int) =
		(void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");

	return real(name, flags);
}

static const struct extension *find(const struct extension **list,
				  const char *name)
{
	for (; list && *list; list++)
		if (!strcmp((*list)->name, name))
			return *list;
	return NULL;
}

static void tell_configs(FILE *out, const struct core *core,
			 const struct config **configs, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct pair p[PAIRS_MAX];
		unsigned n = 0;

		while (n < PAIRS_MAX && core->index_attribute(configs[i],
				(int)n, &p[n].attribute, &p[n].value))
			n++;
		fwrite(&n, sizeof(n), 1, out);
		fwrite(p, sizeof(*p), n, out);
	}
}

static void tell(FILE *out, int number, const struct extension **loader)
{
	void *driver = open_really(driver_path, RTLD_LAZY);
	get_extensions *get = driver ?
		(get_extensions *)dlsym(driver, ENTRY) : NULL;
	const struct extension **all = get ? get() : NULL, **e;
	const struct core *core = (const void *)find(all, "DRI_Core");
	const struct swrast *swrast =
		(const void *)find(all, "DRI_SWRast");
	const struct config **configs = NULL;
	struct answer a = { 0 };
	void *screen = core && swrast ? swrast->create_screen(number,
			loader, &configs, NULL) : NULL;

	if (!screen || !configs)
		return;
	a.core_version = core->base.version;
	a.swrast_version = swrast->base.version;
	for (e = core->get_extensions(screen);
	     *e && a.extension_count < EXTENSIONS_MAX; e++) {
		a.extensions[a.extension_count].version = (*e)->version;
		strncpy(a.extensions[a.extension_count++].name, (*e)->name,
			NAME_MAX_LENGTH - 1);
	}
	while (configs[a.config_count] && a.config_count < CONFIGS_MAX)
		a.config_count++;
	fwrite(&a, sizeof(a), 1, out);
	tell_configs(out, core, configs, a.config_count);
	fflush(out);
}

/* ---- what it has said ---------------------------------------------------- */
static const struct config *hear_config(FILE *in)
{
	struct config *c;
	unsigned n;

	if (fread(&n, sizeof(n), 1, in) != 1 || n > PAIRS_MAX)
		return NULL;
	c = malloc(sizeof(*c) + n * sizeof(struct pair));
	if (!c || fread(c->pairs, sizeof(struct pair), n, in) != n)
		return NULL;
	c->count = n;
	return c;
}

static const struct config **hear(FILE *in)
{
	const struct config **configs;

	if (fread(&answer, sizeof(answer), 1, in) != 1 ||
	    answer.config_count > CONFIGS_MAX ||
	    answer.extension_count > EXTENSIONS_MAX)
		return NULL;
	configs = calloc(answer.config_count + 1, sizeof(*configs));
	for (unsigned i = 0; configs && i < answer.config_count; i++) {
		configs[i] = hear_config(in);
		if (!configs[i])
			return NULL;
	}
	return configs;
}

/* ---- the driver ---------------------------------------------------------- */
static const struct extension **list_extensions(void *screen)
{
	return extensions;
}

static int index_attribute(const struct config *c, int i, unsigned *attribute,
			   unsigned *value)
{
	if (i < 0 || (unsigned)i >= c->count)
		return 0;
	*attribute = c->pairs[i].attribute;
	*value = c->pairs[i].value;
	return 1;
}

static int get_attribute(const struct config *c, unsigned attribute,
			 unsigned *value)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->pairs[i].attribute == attribute) {
			*value = c->pairs[i].value;
			return 1;
		}
	return 0;
}

static void *make_drawable(void *screen,
				    const struct config *config, void *private)
{
	return calloc(1, 1);
}

static void end_drawable(void *d)
{
	free(d);
}

static void nothing_to_swap(void *d)
{
}

static void *no_context(void *screen, const struct config *c,
				void *shared, void *private)
{
	return NULL;
}

static void end_screen(void *screen)
{
}

static struct core core = { .base = { "DRI_Core", 1 },
	.destroy_screen = end_screen, .get_extensions = list_extensions,
	.get_attribute = get_attribute, .index_attribute = index_attribute,
	.destroy_drawable = end_drawable, .swap_buffers = nothing_to_swap,
	.create_context = no_context };
static struct swrast swrast = { .base = { "DRI_SWRast", 1 },
	.create_drawable = make_drawable };

/* Of them the X server looks at name and version; their functions belong to
 * indirect contexts. */
static void name_extensions(void)
{
	static char space[EXTENSIONS_MAX][EXTENSION_BYTES];

	for (unsigned i = 0; i < answer.extension_count; i++) {
		struct extension e = { answer.extensions[i].name,
			answer.extensions[i].version };

		memcpy(space[i], &e, sizeof(e));
		extensions[i] = (const struct extension *)(void *)space[i];
	}
	core.base.version = answer.core_version;
	swrast.base.version = answer.swrast_version;
}

static void *make_screen(int number, const struct extension **loader,
				const struct config ***configs, void *private)
{
	int fds[2], status;
	FILE *f;
	pid_t pid;

	if (pipe(fds))
		return NULL;
	pid = fork();
	if (!pid) {
		tell(fdopen(fds[1], "w"), number, loader);
		_exit(0);
	}
	close(fds[1]);
	f = fdopen(fds[0], "r");
	*configs = f && pid > 0 ? hear(f) : NULL;
	if (f)
		fclose(f);
	waitpid(pid, &status, 0);
	if (!*configs)
		return NULL;
	name_extensions();
	return &swrast; /* not NULL */
}

const struct extension **__driDriverGetExtensions_swrast(void)
{
	static const struct extension *ours[] = { &core.base,
		&swrast.base, NULL };

	swrast.create_screen = make_screen;
	return ours;
}

/* This is the driver that Xvfb gets. */
void *dlopen(const char *name, int flags)
{
	size_t n = name ? strlen(name) : 0, m = sizeof(DRIVER) - 1;

	if (n < m || n >= sizeof(driver_path) || strcmp(name + n - m, DRIVER) ||
	    access(name, R_OK))
		return open_really(name, flags);
	strcpy(driver_path, name);
	return open_really(NULL, RTLD_LAZY);
}
