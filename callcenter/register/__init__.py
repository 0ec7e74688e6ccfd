"""The register of orders (工单台账): everything one may see, narrowed, sorted, saved as views, acted on, exported."""
