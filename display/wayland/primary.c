/*
 * primary.c - zwp_primary_selection: what is selected, for the middle button;
 * all but its words is data.c's (wayland.h).
 */
#include "display/wayland/wayland.h"
#include "primary-selection-server.h"

static const struct zwp_primary_selection_source_v1_interface source_calls = {
	data_type, end_resource };
static const struct zwp_primary_selection_device_v1_interface device_calls = {
	data_set, end_resource };
static const struct zwp_primary_selection_offer_v1_interface offer_calls = {
	data_receive, end_resource };

const struct dialect primary_dialect = {
	.source = &zwp_primary_selection_source_v1_interface,
	.device = &zwp_primary_selection_device_v1_interface,
	.offer = &zwp_primary_selection_offer_v1_interface,
	.source_calls = &source_calls,
	.device_calls = &device_calls,
	.offer_calls = &offer_calls,
	.send = zwp_primary_selection_source_v1_send_send,
	.cancelled = zwp_primary_selection_source_v1_send_cancelled,
	.data_offer = zwp_primary_selection_device_v1_send_data_offer,
	.type = zwp_primary_selection_offer_v1_send_offer,
	.selection = zwp_primary_selection_device_v1_send_selection,
};

static void bind(struct wl_client *c, void *data, uint32_t version,
		 uint32_t id)
{
	static const struct zwp_primary_selection_device_manager_v1_interface
		manager = { data_source_wanted, data_device_wanted,
		end_resource };

	add_resource(c, &zwp_primary_selection_device_manager_v1_interface, 1,
		     id, &manager, data_of(PRIMARY), NULL);
}

void primary_globals(void)
{
	wl_global_create(server.display,
		&zwp_primary_selection_device_manager_v1_interface, 1, NULL,
		bind);
}
