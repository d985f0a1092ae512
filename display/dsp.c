/*
 * dsp.c - the conversions of sound that FreeRDP's server library asks for
 * (<freerdp/codec/dsp.h>): none.  Sound is sent as it is.  FreeRDP's own use
 * FFmpeg, which the display goes without (tools/gen-absent.sh).
 */
#include <freerdp/codec/dsp.h>
#include <stdlib.h>
#include <string.h>
#include <winpr/stream.h>

struct _FREERDP_DSP_CONTEXT { AUDIO_FORMAT format; };

FREERDP_DSP_CONTEXT *freerdp_dsp_context_new(BOOL is_encoder)
{
	return calloc(1, sizeof(FREERDP_DSP_CONTEXT));
}

void freerdp_dsp_context_free(FREERDP_DSP_CONTEXT *c)
{
	free(c);
}

BOOL freerdp_dsp_context_reset(FREERDP_DSP_CONTEXT *c, const AUDIO_FORMAT *f)
{
	c->format = *f;
	return TRUE;
}

BOOL freerdp_dsp_supports_format(const AUDIO_FORMAT *f, BOOL is_encode)
{
	return f->wFormatTag == WAVE_FORMAT_PCM;
}

static BOOL copy(FREERDP_DSP_CONTEXT *c, const AUDIO_FORMAT *from,
		 const BYTE *data, size_t length, wStream *out)
{
	if (from->nChannels != c->format.nChannels ||
	    from->nSamplesPerSec != c->format.nSamplesPerSec ||
	    from->wBitsPerSample != c->format.wBitsPerSample ||
	    !Stream_EnsureRemainingCapacity(out, length))
		return FALSE;
	Stream_Write(out, data, length);
	return TRUE;
}

BOOL freerdp_dsp_encode(FREERDP_DSP_CONTEXT *c, const AUDIO_FORMAT *from,
			const BYTE *data, size_t length, wStream *out)
{
	return copy(c, from, data, length, out);
}

BOOL freerdp_dsp_decode(FREERDP_DSP_CONTEXT *c, const AUDIO_FORMAT *from,
			const BYTE *data, size_t length, wStream *out)
{
	return copy(c, from, data, length, out);
}
