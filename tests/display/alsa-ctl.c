/*
 * alsa-ctl.c - an ALSA mixer without a knob, for a client that does not play
 * without one: ctl_type.none { lib "alsa-ctl.so" }.
 */
#include <alsa/asoundlib.h>
#include <alsa/control_external.h>

static snd_ctl_ext_t mixer;

static int count(snd_ctl_ext_t *c)
{
	return 0;
}

static int list(snd_ctl_ext_t *c, unsigned offset, snd_ctl_elem_id_t *id)
{
	return -ENOENT;
}

static snd_ctl_ext_key_t find(snd_ctl_ext_t *c, const snd_ctl_elem_id_t *id)
{
	return SND_CTL_EXT_KEY_NOT_FOUND;
}

static int attribute(snd_ctl_ext_t *c, snd_ctl_ext_key_t key, int *type,
		     unsigned *access, unsigned *items)
{
	return -ENOENT;
}

static const snd_ctl_ext_callback_t calls = {
	.elem_count = count, .elem_list = list, .find_elem = find,
	.get_attribute = attribute,
};

SND_CTL_PLUGIN_DEFINE_FUNC(none)
{
	int error;

	mixer.version = SND_CTL_EXT_VERSION;
	mixer.poll_fd = -1;
	mixer.callback = &calls;
	strcpy(mixer.id, "none");
	strcpy(mixer.driver, "none");
	strcpy(mixer.name, "none");
	strcpy(mixer.longname, "none");
	strcpy(mixer.mixername, "none");
	error = snd_ctl_ext_create(&mixer, name, mode);
	if (!error)
		*handlep = mixer.handle;
	return error;
}
SND_CTL_PLUGIN_SYMBOL(none);
